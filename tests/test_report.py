"""The command that compares runs."""

import csv
import json
import re
import shutil
from contextlib import chdir
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SHORT, Outcome, Run
from filelock import FileLock
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from test_cli import the_one_line
from torch.utils.tensorboard import SummaryWriter

from gan_lightning import report
from gan_lightning.paths import CONF
from gan_lightning.reports.exhibits import SHEETS

DISTANCES = {("1e-4", 0): 3.0, ("1e-4", 1): 5.0, ("1e-5", 0): 20.0, ("1e-5", 1): None, ("1e-3", 0): 100.0}


@pytest.fixture
def report_of(run: Run) -> Run:
    """Runs the command."""
    return lambda *words: run(*words, entry_point=report)


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep's folder: five runs with results, of which one diverged, one at work, one that failed at once."""
    with chdir(tmp_path_factory.mktemp("made_once")):
        for (rate, seed), distance in DISTANCES.items():
            results = {"frechet_distance": distance, "coverage": 0.5}
            make_run(f"sweep/lr-{rate}+seed-{seed}", rate, seed, results=results)
        make_run("sweep/lr-1e-3+seed-1", "1e-3", 1, state="running")
        failed = Path("sweep/lr--1+seed-0")
        failed.mkdir()
        (failed / "status.json").write_text('{"state": "failed", "error": "optimizer.lr <must> be a number"}')
        (failed / "traceback.txt").write_text("Traceback: line 1")
        return Path("sweep").resolve()


@pytest.fixture
def drawn_sweep(made_once: Path, run: Run) -> Path:
    """A copy of it in the folder `sweep`, which the test may change, and of which a report is drawn."""
    return shutil.copytree(made_once, Path("sweep"))


@pytest.fixture
def sweep(drawn_sweep: Path, undrawn: None) -> Path:
    """The same, of which a report has no figures, which are most of its time."""
    return drawn_sweep


def make_run(folder: str, rate: str, seed: int, results: dict | None = None, state: str = "completed") -> None:
    path = Path(folder)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        words = [f"seed={seed}", f"optimizer.lr={rate}", f"output_dir={folder}", "optimized_metric=frechet_distance"]
        settings = compose("config", words)
    (path / "samples").mkdir(parents=True)
    OmegaConf.save(settings, path / "config.yaml")
    for epoch in (1, 2):
        Image.fromarray(noise(50, 50, seed=seed + epoch)).save(path / "samples" / f"epoch_000{epoch}.png")
    leave_exhibits(path)
    writer = SummaryWriter(folder)
    for step in range(1, 11):
        writer.add_scalar("loss/generator", float(rate) * step, step)
        writer.add_scalar("evaluation/frechet_distance", 1 / step, step)
        writer.add_scalar("epoch", (step + 4) // 5, step)
    writer.close()
    overrides = [f"optimizer.lr={rate}", f"seed={seed}", "output_dir=sweep"]
    (path / "status.json").write_text(json.dumps({"state": state, "overrides": overrides}))
    if results is not None:
        (path / "metrics.json").write_text(json.dumps({"epochs": 2, "training_seconds": 3.5, **results}))


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Bytes."""
    return np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)


def leave_exhibits(run: Path) -> None:
    """What a training's end leaves of the players."""
    (run / "exhibits").mkdir()
    for name, (rows, columns) in SHEETS.items():
        Image.fromarray(noise(8 * rows, 8 * columns)).save(run / "exhibits" / f"{name}.png")
    scores = [sorted(np.random.default_rng(kind).random(24).tolist()) for kind in range(2)]
    bins = {"edges": [0, 0.5, 1], "real": [5, 19], "generated": [20, 4]}
    said = {"probabilities": True, "scores": scores, "histograms": bins, "distances": [1.5] * 12}
    (run / "exhibits" / "exhibits.json").write_text(json.dumps(said))


def _png() -> bytes:
    buffer = BytesIO()
    Image.fromarray(noise(50, 50)).save(buffer, "png")
    return buffer.getvalue()


PNG = _png()


class Page(HTMLParser):
    """What a page asks for from elsewhere, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.text = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def data_of(page: Path) -> dict[str, Any]:
    """What a page's script is told."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text())
    assert found
    return json.loads(found[1])


SECRET = "open sesame"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("${oc.env:GAN_SECRET}", "seed would have to be computed"),
        ("'a${oc.decode:${oc.env:GAN_SECRET}}b'", "seed would have to be computed"),
        ("${hydra:runtime.cwd}", "seed would have to be computed"),
        ("${nowhere}", "nowhere"),
        ("*a", "config.yaml is damaged"),
        ("[&a [x, x], &b [*a, *a], *b]", "aliases"),
        ("{_target_: 3}", "seed._target_ names no class"),
    ],
)
def test_a_strangers_settings_refer_to_themselves_or_are_left_out(
    line: str, says: str, sweep: Path, report_of: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAN_SECRET", SECRET)
    config = sweep / "lr-1e-4+seed-0" / "config.yaml"
    config.write_text(re.sub(r"^seed: 0$", f"seed: {line}", config.read_text(), flags=re.M))
    outcome = report_of("sweep=sweep", "output_dir=out")
    assert outcome.exit_code == 0, outcome.stderr
    assert f"left out: {config}" in outcome.stdout
    assert says in outcome.stdout
    written = [path.read_bytes() for path in Path("out").iterdir()]
    assert SECRET.encode() not in b"".join([outcome.stdout.encode(), *written])


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("metrics.json", '{"frechet_distance": "3"}'),
        ("metrics.json", '{"frechet_distance": [1]}'),
        ("metrics.json", '{"frechet_distance": 1' + 400 * "0" + "}"),
        ("metrics.json", '{"frechet_distance": true}'),
        ("status.json", '{"state": ["completed"]}'),
        ("status.json", '{"state": "completed", "overrides": "seed=1"}'),
        ("status.json", '{"state": "completed", "error": {}}'),
    ],
)
def test_one_damaged_run_is_left_out_and_named(file: str, content: str, sweep: Path, report_of: Run) -> None:
    (sweep / "lr-1e-4+seed-0" / file).write_text(content)
    outcome = report_of("sweep=sweep", "output_dir=out")
    assert outcome.exit_code == 0, outcome.stderr
    assert f"left out: sweep/lr-1e-4+seed-0/{file} is damaged" in outcome.stdout
    assert len(Path("out/results.csv").read_text().splitlines()) == len(DISTANCES) + 2  # with the head


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("samples/epoch_0002.png", b"no picture"),
        ("samples/epoch_0002.png", PNG[: len(PNG) // 2]),
        ("exhibits/walks.png", b"GIF89a"),
        ("exhibits/exhibits.json", b"{}"),
        ("exhibits/exhibits.json", b'{"probabilities": true, "scores": [[1], [2]]}'),
    ],
)
def test_a_damaged_picture_is_left_out_and_named_and_its_run_is_not(
    file: str, content: bytes, sweep: Path, report_of: Run
) -> None:
    (sweep / "lr-1e-4+seed-0" / file).write_bytes(content)
    outcome = report_of("sweep=sweep", "output_dir=out")
    assert outcome.exit_code == 0, outcome.stderr
    assert f"sweep/lr-1e-4+seed-0/{file} is damaged" in Page(Path("out/index.html")).text
    assert outcome.stdout.count("left out: ") == 1
    assert "| 001, 002 | 4 ± 1.4 |" in outcome.stdout


def test_a_metric_that_is_no_name_is_left_out_with_its_run(sweep: Path, report_of: Run) -> None:
    config = sweep / "lr-1e-4+seed-0" / "config.yaml"
    config.write_text(re.sub(r"^optimized_metric: .*$", "optimized_metric: [1]", config.read_text(), flags=re.M))
    assert "optimized_metric names no metric" in report_of("sweep=sweep", "output_dir=out").stdout


def test_links_out_of_a_strangers_folder_are_not_followed(sweep: Path, report_of: Run) -> None:
    Path("secret").write_text(SECRET)
    failed = sweep / "lr--1+seed-0"
    (failed / "traceback.txt").unlink()
    (failed / "traceback.txt").symlink_to(Path("secret").resolve())
    pictures = [sweep / "lr-1e-4+seed-0" / name for name in ("samples/epoch_0002.png", "exhibits/walks.png")]
    for picture in pictures:
        shutil.copy(picture, "secret.png")
        picture.unlink()
        picture.symlink_to(Path("secret.png").resolve())
    shutil.move(sweep / "lr-1e-4+seed-1" / "exhibits", "elsewhere")
    (sweep / "lr-1e-4+seed-1" / "exhibits").symlink_to(Path("elsewhere").resolve())
    assert report_of("sweep=sweep", "output_dir=out").exit_code == 0
    page = Path("out/index.html").read_text()
    assert SECRET not in page
    runs = data_of(Path("out/index.html"))["runs"]
    assert [[epoch for epoch, _ in runs[number]["frames"]] for number in ("001", "002")] == [[1], [1, 2]]
    assert ["scores" in runs[number] for number in ("001", "002")] == [True, False]
    assert page.count("<h3>Walks</h3>") == len(DISTANCES) - 1  # of the others, and one at work


def test_a_strangers_words_are_neither_html_nor_formulas(sweep: Path, report_of: Run) -> None:
    for place in ("lr-1e-4+seed-0", "lr-1e-4+seed-1"):
        config = sweep / place / "config.yaml"
        config.write_text(config.read_text().replace("fused: true", "fused: '=<b>[x](http://y)`|</script>'"))
    assert report_of("sweep=sweep", "output_dir=out").exit_code == 0
    assert not re.search("<b>\\[x\\]|[|]</script>", Path("out/index.html").read_text())
    table = Path("out/table.md").read_text()
    assert r"=&lt;b&gt;[x]\(http://y)\`\|&lt;/script&gt;" in table
    assert "'=<b>" in Path("out/results.csv").read_text()


@pytest.mark.slow
def test_it_writes_tables_pictures_and_a_page(drawn_sweep: Path, report_of: Run) -> None:
    outcome = report_of("sweep=sweep")
    assert outcome.exit_code == 0, outcome.stderr
    with (drawn_sweep / "report" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(DISTANCES) + 2
    assert [row["frechet_distance"] for row in rows][:4] == ["3.0", "5.0", "20.0", "100.0"]
    assert {row["state"] for row in rows} == {"completed", "failed", "interrupted"}
    assert [row["optimizer.lr"] for row in rows][:4] == ["0.0001", "0.0001", "1e-05", "0.001"]
    table = (drawn_sweep / "report" / "table.md").read_text().splitlines()
    assert [row["trial"] for row in rows][:2] == ["001", "002"]
    assert table[0] == "| trials | frechet_distance | optimizer.lr | seeds | state |"
    assert table[2] == "| 001, 002 | 4 ± 1.4 | 0.0001 | 0, 1 | completed |"
    assert table[3] == "| 003, 006 | 20 | 1e-05 | 0, 1 | completed |"
    assert table[-1] == "    python -m gan_lightning.train optimizer.lr=1e-4 seed=0 trainer.max_epochs=100"
    for line in table:
        assert line in outcome.stdout
    for picture in ("effect_of_optimizer.lr", "loss_generator", "evaluation_frechet_distance", "best_and_worst"):
        with Image.open(drawn_sweep / "report" / f"{picture}.png") as opened:
            assert opened.size[0] > 300


def test_the_page_needs_nothing_else(sweep: Path, report_of: Run) -> None:
    report_of("sweep=sweep")
    page = Page(sweep / "report" / "index.html")
    assert page.links
    assert all(link.startswith(("data:image/webp;base64,", "#")) for link in page.links)
    text = (sweep / "report" / "index.html").read_text()
    assert "default-src 'none'" in text
    without_library = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?://|@import|url\((?!data:image/webp;base64,)", without_library)
    assert "optimizer.lr &lt;must&gt; be a number" in text  # nothing in a run becomes part of the page
    assert "Traceback: line 1" in page.text
    assert "diverged" in page.text
    assert "7 runs: 5 completed, 1 failed, 1 interrupted." in page.text
    assert "001 lr=0.0001 seed=0" in page.text
    assert "python -m gan_lightning.train optimizer.lr=1e-4 seed=0" in page.text
    assert "too few runs" in page.text
    assert "Losses do not tell" not in page.text


def test_a_single_run_has_no_command_and_losses_are_not_trusted(run: Run, report_of: Run) -> None:
    run(*SHORT, "trainer.max_epochs=1")
    outcome = report_of("sweep=run")
    page = Page(Path("run/report/index.html"))
    assert "1 run: 1 completed." in page.text
    for text in (outcome.stdout, page.text, Path("run/report/table.md").read_text()):
        assert "Losses do not tell which generator is better; callbacks=evaluation measures what does." in text
        assert "to train the best again" not in text.lower()


def test_a_single_run_has_a_page_of_its_own(run: Run, report_of: Run) -> None:
    run(*SHORT, "trainer.max_epochs=2")
    leave_exhibits(Path("run"))
    outcome = report_of("run=run", "metric=generator_loss")
    assert outcome.exit_code == 0, outcome.stderr
    page = Path("run/report/index.html")
    text = Page(page).text
    for part in ("Curves", "Sorted by its score", "Nearest neighbours", "Walks", "model.generator.hidden_dims"):
        assert part in text
    assert "What mattered" not in text
    said = data_of(page)
    assert [epoch for epoch, _ in said["runs"]["001"]["frames"]] == [1, 2]
    together = [chart["usermeta"].get("tags") for chart in said["charts"].values()]
    assert ["loss/discriminator", "loss/generator"] in together
    assert page.stat().st_size < 2_000_000


@pytest.mark.slow
def test_a_sweep_at_work_is_reported_and_written_again(sweep: Path, report_of: Run) -> None:
    with FileLock("sweep/lr-1e-3+seed-1/.lock"):
        assert report_of("sweep=sweep").exit_code == 0
    assert "running" in Page(sweep / "report" / "index.html").text
    (sweep / "lr-1e-3+seed-1" / "metrics.json").write_text('{"frechet_distance": 1.0}')
    (sweep / "lr-1e-3+seed-1" / "status.json").write_text('{"state": "completed"}')
    assert report_of("sweep=sweep").exit_code == 0
    assert "50.5 ± 70" in (sweep / "report" / "table.md").read_text()


@pytest.mark.slow
def test_any_runs_by_list_and_by_pattern(sweep: Path, run: Run, report_of: Run) -> None:
    run(*SHORT, "trainer.max_epochs=1")
    outcome = report_of("sweep=[run,sweep/lr-1e-4+seed-0]", "output_dir=compared", "metric=generator_loss")
    assert outcome.exit_code == 0, outcome.stderr
    assert "dataset.batch_size" in Path("compared/table.md").read_text()
    assert report_of("sweep='sweep/lr-1e-4*'", "output_dir=two").exit_code == 0
    assert "| 4 ± 1.4 | 0, 1 |" in Path("two/table.md").read_text()


def test_damaged_and_foreign_files_are_left_out_with_a_line_each(sweep: Path, report_of: Run) -> None:
    (sweep / "lr-1e-4+seed-0" / "metrics.json").write_bytes(b"\xff")
    (sweep / "lr-1e-5+seed-0" / "status.json").write_text("[]")
    (sweep / "lr-1e-3+seed-0" / "config.yaml").write_text("a: {")
    (sweep / "thesis").mkdir()
    (sweep / "thesis" / "chapter.txt").write_text("years of work")
    (sweep / "notes.txt").write_text("")
    outcome = report_of("sweep=sweep")
    assert outcome.exit_code == 0, outcome.stderr
    left_out = [line for line in outcome.stdout.splitlines() if line.startswith("left out: ")]
    assert len(left_out) == 3
    for file in ("lr-1e-4+seed-0/metrics.json", "lr-1e-5+seed-0/status.json", "lr-1e-3+seed-0/config.yaml"):
        assert sum(f"sweep/{file} is damaged" in line for line in left_out) == 1
        assert f"sweep/{file} is damaged" in Page(sweep / "report" / "index.html").text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "which runs? sweep="),
        (["sweep=sweep", "run=sweep"], "which runs? sweep="),
        (["run=nowhere"], "there is no run in nowhere"),
        (["sweep=nowhere"], "there is no run in nowhere"),
        (["sweep='no*where'"], "there is no run in no*where"),
        (["sweep=sweep", "metric=frechet"], "no run has a metric called frechet; there is frechet_distance, coverage"),
        (["sweep=[sweep,sweep]"], "where to? output_dir="),
        (["sweep=sweep", "output_dir=sweep/samples"], "sweep/samples holds files that are no report"),
        (["swep=sweep"], "there is no setting 'swep'; did you mean sweep"),
    ],
)
def test_bad_input_is_answered_with_one_line(words: list[str], expected: str, sweep: Path, report_of: Run) -> None:
    Path("sweep/samples").mkdir()
    Path("sweep/samples/mine.txt").write_text("mine")
    outcome: Outcome = report_of(*words)
    assert expected in the_one_line(outcome)
    assert not list(Path().rglob("index.html"))


def show(browser: webdriver.Chrome, page: Path) -> None:
    """Open a page, and wait until its charts are drawn."""
    browser.get(page.resolve().as_uri())
    WebDriverWait(browser, 60).until(
        lambda opened: opened.execute_script("return document.documentElement.dataset.ready")
    )


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1200])
def test_in_a_browser_the_page_answers(width: int, sweep: Path, report_of: Run, browser: webdriver.Chrome) -> None:
    report_of("sweep=sweep")
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    show(browser, sweep / "report" / "index.html")

    def js(script: str, *words: object) -> Any:
        return browser.execute_script(f"return {script}", *words)

    assert js("document.documentElement.scrollWidth <= window.innerWidth")
    # Every chart that is to be seen is drawn, none of those of trials that are not open.
    drawn = {place.get_attribute("data-chart") for place in browser.find_elements(By.CSS_SELECTOR, ".chart:has(svg)")}
    assert drawn == {"effect-0", "parallel", "probabilities", "curve-0", "curve-1"}
    assert js("document.querySelectorAll('article .chart svg').length") == 0

    # As the system has it, and as the switch says; also the colours of the charts.
    def colours() -> set[str]:
        return {
            js("getComputedStyle(document.body).backgroundColor"),
            js("getComputedStyle(document.querySelector('[data-chart=curve-0] svg text')).fill"),
        }

    dark = colours()
    browser.find_element(By.CSS_SELECTOR, ".switch [data-theme=light]").click()
    light = colours()
    assert not dark & light
    browser.find_element(By.CSS_SELECTOR, ".switch [data-theme='']").click()
    assert colours() == dark

    # A curve tells its run, which then stands out in the other charts and in the table.
    chart = browser.find_element(By.CSS_SELECTOR, "[data-chart=curve-0]")
    js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart)
    ActionChains(browser).move_to_element(chart).perform()
    tip = browser.find_element(By.ID, "tip")
    assert re.match(r"00\d lr=\S+ seed=\d\n\S+ in epoch \S+", tip.text)
    assert js("document.querySelector('#trials tr.picked').dataset.run") == tip.text[:3]
    widths = js(
        "[...document.querySelectorAll('[data-chart=parallel] .mark-line path')].map(p => p.style.strokeWidth"
        " || p.getAttribute('stroke-width'))"
    )
    assert "3.5" in widths

    # The slider shows another epoch.
    film = browser.find_element(By.CSS_SELECTOR, "#extremes .film")
    js("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", film)
    picture = film.find_element(By.TAG_NAME, "img")
    last = picture.get_attribute("src")
    film.find_element(By.TAG_NAME, "input").send_keys(Keys.ARROW_LEFT)
    first = picture.get_attribute("src")
    assert first != last
    assert film.find_element(By.TAG_NAME, "output").text == "epoch 1"
    film.find_element(By.TAG_NAME, "input").send_keys(Keys.ARROW_RIGHT)
    assert picture.get_attribute("src") == last

    browser.execute_script("location.hash = '#trial-003'")
    WebDriverWait(browser, 10).until(lambda _: js("document.querySelectorAll('#trial-003 .chart svg').length") >= 3)
    assert js("performance.getEntriesByType('resource').every(entry => entry.name.startsWith('data:'))")
    assert browser.get_log("browser") == []


@pytest.mark.slow
def test_in_a_browser_columns_sort_and_trials_open(sweep: Path, report_of: Run, browser: webdriver.Chrome) -> None:
    report_of("sweep=sweep")
    show(browser, sweep / "report" / "index.html")

    def column(name: str) -> list[str]:
        heads = [head.text.split()[0] for head in browser.find_elements(By.CSS_SELECTOR, "#trials th")]
        place = heads.index(name) + 1
        return [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, f"#trials tbody td:nth-child({place})")]

    def click(name: str) -> None:
        (button,) = [
            b for b in browser.find_elements(By.CSS_SELECTOR, "#trials th button") if b.text.split()[0] == name
        ]
        browser.execute_script("arguments[0].scrollIntoView({inline: 'center', block: 'center'})", button)
        button.click()

    numbers = ["3", "5", "20", "100"]
    assert column("frechet_distance")[:4] == numbers
    for order in (numbers[::-1], numbers):
        click("frechet_distance")
        assert column("frechet_distance")[:4] == order
        assert set(column("frechet_distance")[4:]) == {"diverged", "–"}
    click("optimizer.lr")
    assert column("optimizer.lr")[:5] == ["1e-05", "1e-05", "0.0001", "0.0001", "0.001"]

    article = browser.find_element(By.ID, "trial-002")
    assert not article.is_displayed()
    link = browser.find_element(By.CSS_SELECTOR, "#trials a[href='#trial-002']")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    assert article.is_displayed()
    assert "frechet_distance\n5" in article.text
    picture = article.find_element(By.TAG_NAME, "img")
    assert browser.execute_script("return arguments[0].complete && arguments[0].naturalWidth", picture) == 50
    # The page itself is no wider than a phone; wide tables scroll by themselves, all but the trial and the metric.
    phone = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    row = browser.find_elements(By.CSS_SELECTOR, "#trials tbody tr:first-child td")
    before = [cell.rect["x"] for cell in row]
    browser.execute_script("document.querySelector('#trials').parentElement.scrollLeft = 100")
    assert [cell.rect["x"] for cell in row][:2] == before[:2]
    assert row[2].rect["x"] == before[2] - 100
