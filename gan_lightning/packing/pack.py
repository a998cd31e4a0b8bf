"""Trainings in threads of one process: one at a time is at work, and all of them alternate at once."""

import logging
import sys
import threading
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_lightning.errors import one_line
from gan_lightning.loop.company import COMPANY
from gan_lightning.loop.manual_optimization import ManualOptimization
from gan_lightning.packing.likeness import described, kind_of, parts_of
from gan_lightning.packing.stack import Stack, rehearse
from gan_lightning.packing.streams import Stream
from gan_lightning.wording import counted

log = logging.getLogger(__name__)

Batch = tuple[Tensor, ...]


class Pack:
    """A company of trainings, each in a thread as if it were alone.

    A training is at work until it is about to alternate; then it is the next one's turn. Where all have come that far,
    those that can alternate as one do so, and each goes on with what its alternation gave. So nothing of a training
    but its alternations is different in a pack: callbacks, checkpoints and its end are its own.

    Attributes:
        asked_to_stop: whether all of them are to end after the training step that they are in.
    """

    def __init__(self) -> None:
        self.asked_to_stop = False
        self._members: list[_Member] = []
        self._here = threading.local()
        self._units: dict[tuple[ManualOptimization, ...], _Unit] = {}
        """Those that alternate as one now, and those that do alone."""
        self._rehearsed: dict[Hashable, tuple[int, int]] = {}
        """Of each kind how many have rehearsed, and how many of them can alternate as one."""

    def stop(self) -> None:
        """Let all of them end after the training step that they are in."""
        self.asked_to_stop = True

    def run(self, works: Sequence[tuple[Callable[[], None], AbstractContextManager[None]]]) -> None:
        """Do several things at once, each in a thread, and return when all are done.

        Args:
            works: each with what it finds in its process, such as where its log goes, while it is entered: when another
                one's turn comes it is left.
        """
        self._members = [_Member(*work) for work in works]
        threads = [threading.Thread(target=self._work, args=(member,)) for member in self._members]
        for thread in threads:
            thread.start()
        self._members[0].turn.release()
        for thread in threads:
            thread.join()

    def _work(self, member: "_Member") -> None:
        COMPANY.set(self)
        self._here.member = member
        torch.set_num_threads(member.num_threads)
        member.turn.acquire()
        member.enter()
        try:
            member.work()
        finally:
            following = self._after(member)
            try:  # whatever fails now, such as a GPU that is gone, the others are not to wait for ever
                member.leave()
                self._part(self._with(member.training))
            finally:
                self._members.remove(member)
                if following is not member:
                    following.turn.release()

    def alternate(self, training: ManualOptimization, batch: Batch, mode: Hashable) -> dict[str, Tensor]:
        """What the alternation of a training gives, once all others are about to alternate, too."""
        member: _Member = self._here.member
        self._look_at(member, training, mode)
        member.asked = batch, mode
        while member.answer is None:
            member.leave()
            try:
                if all(other.asked is not None for other in self._members):
                    self._answer()
                elif (following := self._after(member)) is not member:
                    following.turn.release()
                    member.turn.acquire()
            finally:
                member.enter()
        answer, member.answer = member.answer, None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _look_at(self, member: "_Member", training: ManualOptimization, mode: Hashable) -> None:
        """See what kind its training is of: another one than before, or one that a callback has changed meanwhile."""
        is_other, step = member.training is not training, training.trainer.global_step
        if not is_other and step == member.step:  # nothing has been done since but to alternate
            return
        member.mode = described(mode)
        member.step, before, member.parts = step, member.parts, parts_of(training)
        trainings = self._with(member.training)
        stacks = [stack for those in trainings if (stack := self._units[those].stack) is not None]
        whole = all(stack.is_whole() for stack in stacks)
        if is_other or not whole or not _are_the_same(before, member.parts):
            self._part(trainings)
            member.training, member.kind = training, kind_of(training)
            member.by_itself = set() if is_other else member.by_itself

    def _after(self, member: "_Member") -> "_Member":
        """Whose turn it is next: someone who can go on, or anyone if all are about to alternate."""
        place = self._members.index(member) + 1
        others = [*self._members[place:], *self._members[: place - 1]]
        return next((other for other in others if other.asked is None), others[0] if others else member)

    def _answer(self) -> None:
        """Let all alternate, those as one that can."""
        kinds: dict[Hashable, list[_Member]] = {}
        for member in self._members:
            _, mode = member.asked  # type: ignore[misc]
            kind = member if type(mode) in member.by_itself else (member.kind, member.mode)
            kinds.setdefault(kind, []).append(member)
        units = [unit for kind, members in kinds.items() for unit in self._united(kind, members)]
        trainings = {tuple(member.training for member in unit) for unit in units}
        self._part([those for those in self._units if those not in trainings])
        for unit in units:
            self._alternate(unit)

    def _united(self, kind: Hashable, members: "list[_Member]") -> "list[list[_Member]]":
        """Members that have the same objective now, in as few units as may be."""
        rehearsed, most = self._rehearsed.get(kind, (1, 1))
        if len(members) > rehearsed and _are_alike(members):
            most = _fitting(members)
            if most == 1:
                for member in members:
                    member.by_itself.add(type(member.asked[1]))  # type: ignore[index]
            self._rehearsed[kind] = len(members) if most > 1 else sys.maxsize, most
        return [members[first : first + most] for first in range(0, len(members), most)]

    def _with(self, training: ManualOptimization) -> list[tuple[ManualOptimization, ...]]:
        """The unit that a training is in, if it is in one."""
        return [trainings for trainings in self._units if training in trainings]

    def _part(self, those: list[tuple[ManualOptimization, ...]]) -> None:
        for trainings in those:
            if (stack := self._units.pop(trainings).stack) is not None:
                stack.part()

    def _alternate(self, unit: "list[_Member]") -> None:
        """Give each of these what its alternation gives."""
        trainings = tuple(member.training for member in unit)
        if trainings not in self._units:
            try:
                self._units[trainings] = _made(unit)
            except Exception as reason:  # it is not what it was in the rehearsal
                _say_why(unit, reason)
                for member in unit:
                    member.by_itself.add(type(member.asked[1]))  # type: ignore[index]
                    self._alternate_by_itself(member, member.training.eager_alternation)
                return
        if not _are_alike(unit):  # such as at the end of an epoch that another one is not at
            for member in unit:
                self._alternate_by_itself(member, member.training.eager_alternation)
        elif len(unit) == 1:
            self._alternate_by_itself(unit[0], self._units[trainings].alternation)
        else:
            batches, modes = zip(*(member.take() for member in unit), strict=True)
            try:
                together = tuple(map(torch.stack, zip(*batches, strict=True)))
                numbers = self._units[trainings].alternation(together, modes[0])
            except Exception as reason:
                for member in unit:
                    member.answer = reason
            else:
                for place, member in enumerate(unit):
                    member.answer = {name: of_all[place] for name, of_all in numbers.items()}

    @staticmethod
    def _alternate_by_itself(member: "_Member", alternation: Callable[..., dict[str, Tensor]]) -> None:
        batch, mode = member.take()
        try:
            member.enter()
            try:
                member.answer = alternation(batch, mode)
            finally:
                member.leave()
        except Exception as reason:
            member.answer = reason


class _Member:
    """One of the threads.

    Args:
        work: what is done in it.
        surroundings: what it finds in its process.
    """

    def __init__(self, work: Callable[[], None], surroundings: AbstractContextManager[None]) -> None:
        self.work = work
        self.training: Any = None
        self.kind: Hashable = None
        self.mode = b""
        """What its objective is in this training step."""
        self.step = -1
        self.parts: list[Any] = []
        self.by_itself: set[type] = set()
        """Modes in which it alternates alone, because what it does cannot be done for several at once."""
        self.asked: tuple[Batch, Any] | None = None
        """What it is about to alternate on."""
        self.answer: dict[str, Tensor] | Exception | None = None
        self.stream = Stream()
        self.turn = threading.Semaphore(0)
        self.num_threads = torch.get_num_threads()
        self._surroundings = surroundings

    def take(self) -> tuple[Batch, Any]:
        """What it is about to alternate on, which it is then no more."""
        assert self.asked is not None
        asked, self.asked = self.asked, None
        return asked

    def enter(self) -> None:
        self._surroundings.__enter__()
        self.stream.__enter__()

    def leave(self) -> None:
        self.stream.__exit__(None, None, None)
        self._surroundings.__exit__(None, None, None)


class _Unit(NamedTuple):
    """Trainings that alternate at once, or one."""

    alternation: Callable[..., dict[str, Tensor]]
    stack: Stack | None


def _made(members: list[_Member]) -> _Unit:
    if len(members) == 1:
        return _Unit(members[0].training.alternation(), None)
    stack = Stack([member.training for member in members], [member.stream for member in members])
    return _Unit(stack.alternation(), stack)


def _are_the_same(parts: list[Any], others: list[Any]) -> bool:
    return len(parts) == len(others) and all(one is other for one, other in zip(parts, others, strict=True))


def _are_alike(members: list[_Member]) -> bool:
    """Whether the batches that they are about to alternate on have the same shapes."""
    return len({tuple(part.shape for part in member.asked[0]) for member in members}) == 1  # type: ignore[index]


def _fitting(members: list[_Member]) -> int:
    """How many of these can alternate as one; if only one can, a line says why."""
    number = len(members)
    while number > 1:
        trainings, streams = zip(*((member.training, member.stream) for member in members[:number]), strict=True)
        batches, modes = zip(*(member.asked for member in members[:number]), strict=True)
        try:
            rehearse(trainings, streams, tuple(map(torch.stack, zip(*batches, strict=True))), modes[0])
            return number
        except torch.OutOfMemoryError as reason:
            why: Exception = reason
            number = (number + 1) // 2 if number > 2 else 1
        except Exception as reason:
            why = reason
            number = 1
    _say_why(members, why)
    return number


def _say_why(members: list[_Member], reason: Exception) -> None:
    log.info("%s are trained one after the other, not packed: %s", counted(len(members), "job"), one_line(reason))
