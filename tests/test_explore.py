import asyncio
import importlib.util
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
import torch
from conftest import CONDITIONAL, SHORT, Run, the_one_line, trained_once, without_model, write_checkpoint
from markupsafe import escape
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from torch import Tensor, nn

from gan_lightning import explore, export
from gan_lightning.drawing.latents import Latents, allowed, between, between_corners, plane
from gan_lightning.drawing.pictures import image_of
from gan_lightning.exploring.directions import principal_directions
from gan_lightning.exploring.doorkeeper import Doorkeeper
from gan_lightning.exploring.explorer import Explorer, Place
from gan_lightning.exploring.markup import png
from gan_lightning.exploring.nearest import nearest
from gan_lightning.exploring.opened import Opened
from gan_lightning.exploring.page import ON_A_STRIP, Page
from gan_lightning.exploring.runs import Run as Named
from gan_lightning.exploring.runs import find_runs, short_names
from gan_lightning.exploring.serving import LARGEST_UPLOAD, guarded
from gan_lightning.networks import dcgan, goodfellow, mlp, r3gan, sngan

SHAPE = (1, 8, 8)


def two_latents(generator: nn.Module) -> Tensor:
    return Latents(generator, seed=0).draw(2)


class Unlike(nn.Module):
    """A generator of one's own, whose first layer is told a class that is added to the latents."""

    latent_dim = 5

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.layer = nn.Embedding(3, 5), nn.Linear(5, 64)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        return self.layer(latent + self.classes(labels)).tanh().unflatten(1, SHAPE)


class Transposed(nn.Module):
    """Latents as images of one pixel, as in many a DCGAN."""

    latent_dim = 5

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ConvTranspose2d(5, 3, 8)

    def forward(self, latent: Tensor) -> Tensor:
        return self.layer(latent[:, :, None, None])[:, :1]


class Mapped(nn.Module):
    """Latents on a sphere before the first layer, as before StyleGAN's mapping network."""

    latent_dim = 5

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 64)

    def forward(self, latent: Tensor) -> Tensor:
        return self.layer(nn.functional.normalize(latent)).unflatten(1, SHAPE)


@pytest.mark.parametrize(
    ("generator", "weight"),
    [
        (mlp.Generator(SHAPE, 5, hidden_dims=[7]), lambda g: g.layers[0].weight),
        (
            mlp.Generator(SHAPE, 5, hidden_dims=[7], conditional=True, num_classes=3),
            lambda g: g.layers[0].weight[:, :5],
        ),
        (goodfellow.Generator(SHAPE, 5, hidden_dim=7), lambda g: g.hidden[0].weight),
        (dcgan.Generator(SHAPE, 3, 5, width=4, normalization="batch"), lambda g: g.first[0].weight),
        (sngan.Generator(SHAPE, 3, 5, width=4, conditional=True), lambda g: g.first[0].weight),
        (r3gan.Generator(SHAPE, 3, 5, width=16, max_width=16, conditional=True), lambda g: g.first.weight[:, :5]),
        (Unlike(), lambda g: g.layer.weight),
        (Transposed(), lambda g: g.layer.weight.flatten(1).T),
    ],
    ids=lambda value: type(value).__module__ + type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_principal_directions_are_the_eigenvectors_of_the_first_layers_weights(
    generator: nn.Module, weight: Any
) -> None:
    found = principal_directions(generator, two_latents(generator))
    _, lengths, vectors = torch.linalg.svd(weight(generator).detach().double(), full_matrices=False)
    known = min(len(lengths), 5)
    assert found is not None
    assert torch.allclose(found.shares[:known], lengths.square() / lengths.square().sum(), atol=1e-4)
    alike = (found.vectors[:known].double() * vectors[:known]).sum(1).abs()  # n and -n say the same
    assert torch.allclose(alike, torch.ones(known, dtype=torch.float64), atol=1e-3)
    assert torch.allclose(found.vectors @ found.vectors.T, torch.eye(5), atol=1e-5)


def test_for_normal_latents_they_are_those_of_ganspace() -> None:
    generator = mlp.Generator(SHAPE, 4, hidden_dims=[30])
    with torch.no_grad():
        generator.layers[0].weight.mul_(torch.tensor([4.0, 3.0, 2.0, 1.0]))
    found = principal_directions(generator, two_latents(generator))
    latent = Latents(generator, seed=1).draw(20_000)
    hidden = generator.layers[0](latent).detach()
    coordinates = torch.pca_lowrank(hidden, q=4, center=True)[0]
    regressed = torch.linalg.lstsq(coordinates, latent).solution  # Härkönen et al. 2020, equation 4
    alike = torch.cosine_similarity(regressed, found.vectors).abs()
    assert alike.min() > 0.99


def test_where_the_first_layer_is_no_linear_map_there_are_none() -> None:
    assert principal_directions(Mapped(), two_latents(Mapped())) is None
    nothing = nn.Identity()
    nothing.latent_dim = 4
    assert principal_directions(nothing, two_latents(nothing)) is None


@pytest.mark.parametrize("distribution", ["normal", "uniform", "spherical"])
def test_a_place_in_the_plane(distribution: str) -> None:
    generator = mlp.Generator(SHAPE, 6, distribution)
    corners = torch.cat([Latents(generator, seed).draw(1) for seed in (3, 1, 4, 1)])
    way = between(generator)
    all_places = plane(corners, 4, way)
    for number, latent in enumerate(all_places):
        found = between_corners(corners, number % 5 / 4, number // 5 / 4, way)
        assert torch.allclose(found[0], latent, atol=1e-5)
        assert torch.allclose(allowed(generator, found), found, atol=1e-5)
    beyond = allowed(generator, corners * 3)
    lengths = {"normal": 3 * corners.norm(dim=1), "spherical": torch.full((4,), 6**0.5)}
    if distribution == "uniform":
        assert beyond.abs().max() == pytest.approx(3**0.5)
    else:
        assert torch.allclose(beyond.norm(dim=1), lengths[distribution])


def test_the_nearest_images_are_those_of_a_plain_search() -> None:
    random = torch.Generator().manual_seed(0)
    images = torch.randint(256, (1203, 1, 5, 4), generator=random, dtype=torch.uint8)
    near = nearest(images, images[1100], 4)
    away = torch.cdist(images[1100].double().flatten()[None], images.double().flatten(1))[0] / 20**0.5
    assert near.places.tolist() == away.argsort()[:4].tolist()
    assert near.distances.double().numpy() == pytest.approx(away.sort().values[:4].numpy(), rel=1e-4)


@pytest.mark.usefixtures("finished")
def test_a_runs_epochs_are_found_once_each() -> None:
    (alone,) = find_runs(["run"])
    assert {epochs: path.name for epochs, path in alone.checkpoints.items()} == {1: "last.ckpt"}
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    for name in ("epoch_0001", "epoch_0010", "epoch_0002"):
        torch.save(checkpoint, f"run/checkpoints/{name}.ckpt")
    Path("run/checkpoints/best.ckpt").write_bytes(b"not asked for")
    (run,) = find_runs(["run"])
    assert list(run.checkpoints) == [1, 2, 10]
    assert run.name == "run"
    (one,) = find_runs(["run/checkpoints/epoch_0002.ckpt"])
    assert list(one.checkpoints) == [2]


def test_short_names_tell_runs_apart() -> None:
    runs = [Named(name, {}) for name in ("outputs/a/x", "outputs/b/x", "outputs/b/y")]
    assert short_names(runs) == ["a/x", "b/x", "b/y"]
    assert short_names(runs[:1]) == ["x"]


@pytest.fixture
def page(finished: Path) -> Page:
    """The page of a finished run."""
    return Page(Explorer(find_runs([str(finished)]), None, "data", []))


def settings_of(page: Page, *along: float, **place: Any) -> list[Any]:
    """What the page's components hold: the place, class, checkpoint, none beside it, four seeds, the directions."""
    steps = [*along, *[0] * (len(page.explorer.directions.shares) - len(along))]
    return [{"across": 0.5, "down": 0.5, "start": None} | place, 0, 0, 1, -1, 1, 5, 6, 7, 8, *steps]


def test_in_a_corner_is_the_seeds_first_sample_and_a_direction_changes_it(page: Page, finished: Path) -> None:
    opened = Opened(finished / "checkpoints" / "last.ckpt", None, [])
    first = png(opened.draw(Latents(opened.artist.generator, 6).draw(1), 0)[0])
    assert first in page.draw(*settings_of(page, across=1.0, down=0.0))
    assert first not in page.draw(*settings_of(page, 2.0, across=1.0, down=0.0))
    explorer, place = page.explorer, Place([5, 6, 7, 8], along=[0.0] * 6)
    strip = explorer.strip(place, 1, ON_A_STRIP)
    assert torch.equal(strip[ON_A_STRIP // 2], explorer.latent(place)[0])
    assert torch.allclose(strip[-1] - strip[0], 8 * explorer.directions.vectors[1], atol=1e-5)


def test_what_the_page_says(page: Page) -> None:
    html = page.draw(*settings_of(page))
    assert re.search(r"D\(x\) <b>[01]\.\d\d</b>", html)
    assert html.count('class="bar"') == 2  # of real images, and of drawn ones
    pad, near, *strips = page.settle(*settings_of(page))
    assert pad["picture"].startswith("data:image/png")
    assert near.count("<img") == 6
    assert len(strips) == 6


def test_an_image_of_ones_own(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_lightning.drawing.projection.TRIED", 50)
    monkeypatch.setattr("gan_lightning.drawing.projection.STEPS", 3)
    found, place, label, *along = page.project("run/samples/epoch_0001.png", 0, 1)
    assert found.count("<img") == 3
    assert re.findall(r"(yours|drawn|training)", found) == ["yours", "drawn", "training"]
    assert place["start"].shape == page.explorer.latent(Place([0] * 4)).shape
    assert along == [0] * 6
    settings = settings_of(page, **place)
    assert png(page.first.draw(place["start"], label)[0]) in page.draw(*settings)
    assert page.settle(*settings)[0]["away"]
    for wrong in ("run/config.yaml", "run/checkpoints/last.ckpt"):
        assert "This cannot be read: no BMP, GIF" in page.project(wrong, 0, 1)[0]


@pytest.mark.parametrize("names", [[], ["T-shirt/top", "<b>coat</b>", *"cdefghij"]], ids=["numbers", "names"])
def test_classes_are_called_by_their_names(
    names: list[str], shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gan_lightning.drawing.projection.TRIED", 9)
    monkeypatch.setattr("gan_lightning.drawing.projection.STEPS", 1)
    words = (*without_model(SHORT), *CONDITIONAL, "trainer.max_epochs=1")
    checkpoint = torch.load(trained_once(shared / "conditional", *words) / "checkpoints/last.ckpt", weights_only=True)
    checkpoint["hyper_parameters"]["class_names"] = names
    torch.save(checkpoint, tmp_path / "named.ckpt")
    page = Page(Explorer(find_runs([str(tmp_path / "named.ckpt")]), None, "data", []))

    async def choices() -> Any:  # outside of a loop Gradio makes loops of its own
        (choice,) = (block for block in page.blocks().blocks.values() if block.elem_id == "class")
        return choice.choices

    assert asyncio.run(choices()) == [(name, number) for number, name in enumerate(names or "0123456789")]
    settings = settings_of(page)
    settings[1] = 1
    called = "&lt;b&gt;coat&lt;/b&gt;" if names else "class 1"
    assert f">{called}, after 1 epoch, raw weights<" in page.draw(*settings)
    image_of(page.first.draw(two_latents(page.first.artist.generator), 1)[0]).save(tmp_path / "one.png")
    found, _, label, *_ = page.project(str(tmp_path / "one.png"), 0, 1)
    assert f">drawn as {escape(names[label]) if names else f'class {label}'}, " in found


def test_where_a_drag_ends_is_where_the_rest_is_drawn(page: Page) -> None:
    def event(across: float, down: float) -> gr.EventData:
        return gr.EventData(None, {"across": across, "down": down})

    place, shown, pad, *rest = page.drop(event(2.0, 0.25), *settings_of(page, across=0.1, down=0.1))
    assert place == {"across": 1.0, "down": 0.25, "start": None}
    settings = settings_of(page, **place)
    assert [shown, pad, *rest] == page.both(*settings)
    assert page.drag(event(2.0, 0.25), *settings) == [place, shown]


@pytest.mark.usefixtures("finished")
def test_beside_the_last_epoch_of_a_run_is_its_first_and_of_several_their_last() -> None:
    shutil.copy("run/checkpoints/last.ckpt", "run/checkpoints/epoch_0000.ckpt")
    shutil.copytree("run", "another")

    async def sliders(*runs: str) -> list[int]:
        blocks = Page(Explorer(find_runs(runs), None, "data", [])).blocks().blocks.values()
        return [block.value for block in blocks if "epochs" in (getattr(block, "elem_classes", None) or [])]

    assert asyncio.run(sliders("run")) == [2, 1]
    assert asyncio.run(sliders("run", "another")) == [2, 2]


@pytest.mark.usefixtures("finished")
def test_of_a_damaged_checkpoint_a_note_says_so() -> None:
    Path("run/checkpoints/epoch_0000.ckpt").write_text("damaged")
    page = Page(Explorer(find_runs(["run"]), None, "data", []))
    shown, *rest = page.both(*settings_of(page))  # of the first of its checkpoints
    assert "epoch_0000.ckpt is not a checkpoint, or it is damaged" in shown
    assert rest == [gr.skip()] * len(rest)
    assert "damaged" in page.project("run/samples/epoch_0001.png", 0, 1)[0]


@pytest.mark.usefixtures("finished")
def test_without_a_discriminator_and_without_the_data_set(run: Run) -> None:
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    checkpoint["hyper_parameters"]["dataset"]["_target_"] = "gan_lightning.data.mnist.MNIST"
    torch.save(checkpoint, "run/checkpoints/last.ckpt")
    assert run("ckpt=run", "output_dir=exported", entry_point=export).exit_code == 0
    page = Page(Explorer(find_runs(["exported"]), None, "data", []))
    assert "Without its discriminator" in page.draw(*settings_of(page))
    assert "MNIST is not in data" in page.settle(*settings_of(page))[1]


def test_images_of_another_shape_than_the_data_sets_are_not_compared(tmp_path: Path) -> None:
    settings = {"_target_": "gan_lightning.networks.mlp.Generator", "latent_dim": 4, "hidden_dims": [8]}
    write_checkpoint(tmp_path / "odd.ckpt", settings, (3, 6, 6), 10)
    checkpoint = torch.load(tmp_path / "odd.ckpt", weights_only=True)
    checkpoint["hyper_parameters"]["model"]["discriminator"] = {
        "_target_": "gan_lightning.networks.mlp.Discriminator", "hidden_dim": 4, "maxout_dim": None,
    }  # fmt: skip
    judge = mlp.Discriminator((3, 6, 6), hidden_dim=4, maxout_dim=None)
    checkpoint["state_dict"] |= {f"discriminator.{name}": weight for name, weight in judge.state_dict().items()}
    torch.save(checkpoint, tmp_path / "odd.ckpt")
    explorer = Explorer(find_runs([str(tmp_path / "odd.ckpt")]), None, "data", [])
    assert "the checkpoint says (3, 6, 6, 10)" in explorer.missing


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port that is in use."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize(
    ("words", "right"),
    [
        ([], "which checkpoint?"),
        (["ckpt=nowhere"], "no checkpoint"),
        (["ckpt=run", "port=x"], "port must be a whole number"),
        (["ckpt=run", "port=70000"], "at most 65535"),
        (["ckpt=run", "data_dir="], "data_dir is empty"),
        (["ckpt=run", "weights=ema"], "half_life is null"),
        (["ckpt=run", "prot=1"], "did you mean port"),
        (["run"], "ckpt=run"),
    ],
)
def test_bad_input(words: list[str], right: str, run: Run) -> None:
    assert right in the_one_line(run(*words, entry_point=explore))


@pytest.mark.usefixtures("finished")
def test_a_port_in_use(taken: int, run: Run) -> None:
    line = the_one_line(run("ckpt=run", f"port={taken}", entry_point=explore))
    assert f"port {taken} is in use; choose another, or port=0" in line


@pytest.mark.usefixtures("finished")
def test_without_gradio(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gradio" else find_spec(name))
    assert "pip install 'gan-lightning[explore]'" in the_one_line(run("ckpt=run", entry_point=explore))


@pytest.mark.usefixtures("finished")
def test_runs_that_cannot_be_shown_the_same_latents(shared: Path, run: Run) -> None:
    words = (*without_model(SHORT), *CONDITIONAL, "trainer.max_epochs=1")
    other = trained_once(shared / "conditional", *words)
    assert "cannot be shown side by side" in the_one_line(run(f"ckpt=[run,{other}]", entry_point=explore))


def test_without_the_token_nothing_is_answered(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploaded"))

    async def ask_all() -> None:
        app = guarded(page.blocks(), "right", 1)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:1") as client:
            paths = set(app._app.routes[-1].app.openapi()["paths"])
            assert {"/config", "/gradio_api/upload", "/gradio_api/queue/join", "/assets/{path}"} <= paths
            for path in [*paths, "/?token=wrong", "/?token=", "/nothing"]:
                for method in ("GET", "POST", "OPTIONS"):
                    assert (await client.request(method, path)).status_code == 403, path
            for cookie in ("gan-explore-1=wrong", "gan-explore-2=right", "gan-explore-1=", "=;;"):
                assert (await client.get("/config", headers={"cookie": cookie})).status_code == 403
            first = await client.get("/?token=right")
            assert (first.status_code, first.headers["location"]) == (303, "/")
            assert "HttpOnly; SameSite=Strict" in first.headers["set-cookie"]
            shown = await client.get("/")  # with the cookie
            assert shown.status_code == 200
            assert shown.headers["content-security-policy"].startswith("default-src 'self' ")
            settings = (await client.get("/config")).json()
            assert settings["analytics_enabled"] is False
            assert settings["stylesheets"] == []
            for path in (Path("run/config.yaml").resolve(), "run/config.yaml", "/etc/hostname"):
                assert (await client.get(f"/gradio_api/file={path}")).status_code == 403
            files = {"files": ("large.png", bytes(LARGEST_UPLOAD + 1))}
            assert (await client.post("/gradio_api/upload", files=files)).status_code == 413

    asyncio.run(ask_all())


def test_a_websocket_is_closed() -> None:
    sent = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Doorkeeper(None, "right", 1)({"type": "websocket"}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def changed(element: Callable[[], Any], before: str) -> bool:
    """Whether an image changes within a few seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if element().get_attribute("src") != before:
            return True
        time.sleep(0.02)
    return False


def drag_in_a_browser(address: str, browser: webdriver.Chrome) -> None:
    """Drag a slider and the plane, on a wide page and on a narrow one, and see the image change."""
    browser.implicitly_wait(10)
    browser.get(address)

    def find(selector: str) -> Any:
        return browser.find_element(By.CSS_SELECTOR, selector)

    for width in (1200, 400):
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        find("#near img")
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        for selector in (".direction input[type=range]", "#pad .plane"):
            before = find("#shown img").get_attribute("src")
            moved = find(selector)
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", moved)
            ActionChains(browser).move_to_element(moved).click_and_hold().move_by_offset(60, 9).release().perform()
            assert changed(lambda: find("#shown img"), before), (width, selector)
    assert float(re.findall(r"left: ([\d.]+)%", find("#pad .handle").get_attribute("style"))[0]) > 55
    asked = browser.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)")
    assert {each.split("/")[2] for each in asked if not each.startswith("data:")} == {address.split("/")[2]}


@pytest.mark.slow
@pytest.mark.usefixtures("finished")
def test_in_a_browser_a_slider_and_the_plane_change_the_image_and_ctrl_c_ends_it(
    run: Run, browser: webdriver.Chrome, capfd: pytest.CaptureFixture[str]
) -> None:
    def visit() -> None:
        said, end = "", time.monotonic() + 20
        while "Ctrl-C ends it" not in said:
            assert time.monotonic() < end, said
            time.sleep(0.1)
            said += capfd.readouterr().out
        try:
            drag_in_a_browser(re.findall(r"http://127\.0\.0\.1:\d+/\?token=\S+", said)[0], browser)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(1) as visitor:
        visited = visitor.submit(visit)
        outcome = run("ckpt=run", "port=0", entry_point=explore)
        visited.result()
    assert outcome == (0, "\nended\n", "")
