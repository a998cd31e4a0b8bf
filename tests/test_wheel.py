"""An installed wheel trains, from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_wheel_installed_elsewhere_trains_from_another_folder(tmp_path: Path) -> None:
    def python(*words: str, cwd: Path = ROOT, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"))
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {path.relative_to(ROOT / "conf").as_posix() for path in (ROOT / "conf").rglob("*.yaml")}
    assert {name.removeprefix("gan_lightning/conf/") for name in names if name.endswith(".yaml")} == shipped
    assert not any(name.startswith(("tests", "conf/", "data")) for name in names)
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    python("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel))
    where = python("-c", "import gan_lightning.paths as c; print(c.CONF)", cwd=elsewhere, PYTHONPATH=str(site))
    assert where.strip() == str(site / "gan_lightning" / "conf")
    python("-m", "gan_lightning.train", "trainer=smoke", "output_dir=run", cwd=elsewhere, PYTHONPATH=str(site))
    assert (elsewhere / "run" / "metrics.json").exists()
