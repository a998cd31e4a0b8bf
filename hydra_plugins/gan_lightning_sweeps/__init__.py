"""Where Hydra finds what `gan_lightning.sweeps` extends it by: it looks for plugins in this namespace alone."""

from gan_lightning.sweeps import grid, launcher, search


class GridSweeper(grid.GridSweeper):
    __doc__ = grid.GridSweeper.__doc__


class OptunaSweeper(search.OptunaSweeper):
    __doc__ = search.OptunaSweeper.__doc__


class LocalLauncher(launcher.LocalLauncher):
    __doc__ = launcher.LocalLauncher.__doc__
