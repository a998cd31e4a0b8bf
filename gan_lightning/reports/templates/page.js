const data = JSON.parse(document.getElementById("data").textContent);
const tip = document.getElementById("tip");
const views = new Set(); // of the charts that are drawn

// Light and dark
const themes = [...document.querySelectorAll(".switch button")];
function choose(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  for (const button of themes) button.setAttribute("aria-pressed", button.dataset.theme === theme);
}
for (const button of themes) button.addEventListener("click", () => choose(button.dataset.theme));
choose("");

// Tables
function number(cell) { // what a cell sorts by: its number, or its text where it has none
  const text = "value" in cell.dataset ? cell.dataset.value : cell.textContent.trim();
  return text === "" || isNaN(text) ? null : Number(text);
}
function compare(a, b) {
  const x = number(a), y = number(b);
  if (x !== null && y !== null) return x - y;
  return a.textContent.localeCompare(b.textContent, undefined, { numeric: true });
}
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const blank = row => row.cells[column].dataset.value === "" || row.cells[column].textContent === "–"; // stays below
    const rows = [...table.tBodies[0].rows].sort((a, b) => blank(a) - blank(b)
      || (down ? -1 : 1) * compare(a.cells[column], b.cells[column]));
    table.tBodies[0].append(...rows);
  }));
}

// The run that the pointer is on, in all charts and in the table
let picked = "";
function pick(run) {
  if (run === picked) return;
  picked = run;
  for (const view of views) view.signal("picked", run).runAsync();
  for (const row of document.querySelectorAll("#trials tbody tr")) row.classList.toggle("picked", row.dataset.run === run);
}
for (const row of document.querySelectorAll("#trials tbody tr")) {
  row.addEventListener("pointerenter", () => pick(row.dataset.run));
  row.addEventListener("pointerleave", () => pick(""));
}
function say(event, text) {
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const left = event.clientX + 16, width = tip.offsetWidth;
  tip.style.left = `${Math.max(8, left + width > innerWidth ? event.clientX - width - 16 : left)}px`;
  tip.style.top = `${Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8)}px`;
}
const short = value => value && Math.abs(value) < 1e-3 ? value.toExponential(2) : Number(value.toPrecision(4)).toString();

// What a chart is drawn of: rows, of all runs or of one
function rows(spec, of) {
  const { tags, scores } = spec.usermeta ?? {};
  if (scores) {
    const { edges, ...counts } = data.runs[of].scores;
    return Object.entries(scores).flatMap(([key, kind]) => counts[key].map((count, bin) =>
      ({ kind, start: edges[bin], end: edges[bin + 1], count })));
  }
  return tags?.flatMap(tag => Object.entries(data.curves[tag]).sort(([a], [b]) => order(a) - order(b))
    .filter(([run]) => of === undefined || run === of)
    .flatMap(([run, [epochs, values]]) => values.map((y, n) =>
      ({ run, role: data.runs[run].role, series: tag.slice(tag.lastIndexOf("/") + 1), x: data.epochs[epochs][n], y }))));
}
const order = run => ["other", "worst", "best"].indexOf(data.runs[run].role); // what matters is drawn last, on top

async function draw(place) {
  if (place.dataset.drawn) return;
  place.dataset.drawn = "begun";
  const of = place.dataset.of;
  const spec = structuredClone(data.charts[place.dataset.chart]);
  const values = rows(spec, of);
  if (values) spec.data = { values };
  const { view } = await vegaEmbed(place, spec, { renderer: "svg", actions: false, ast: true, tooltip: false, logLevel: 1 });
  views.add(view);
  if (spec.usermeta?.tags) follow(place, view, values, of);
  else view.addEventListener("pointermove", (event, item) => {
    const { run, kind, start, end, count } = item?.datum ?? {};
    pick(run ?? "");
    if (run) say(event, `${data.runs[run].name}\n${data.runs[run].value}`);
    else say(event, kind && `${count} ${kind}\nfrom ${short(start)} to ${short(end)}`);
  });
  place.addEventListener("pointerleave", () => { pick(""); say(); });
  place.dataset.drawn = "done";
}

// Curves: the point that is nearest to the pointer
function follow(place, view, values, of) {
  const points = values.filter(({ y }) => y !== null);
  place.addEventListener("pointermove", event => {
    const { left, top } = place.querySelector("svg").getBoundingClientRect();
    const [x, y] = [view.scale("x"), view.scale("y")];
    const [across, down] = view.origin();
    const [px, py] = [event.clientX - left - across, event.clientY - top - down];
    let least = Infinity, nearest;
    for (const point of points) {
      const distance = Math.hypot(x(point.x) - px, y(point.y) - py);
      if (distance < least) [least, nearest] = [distance, point];
    }
    if (!nearest) return;
    view.data("cursor", [nearest]).runAsync();
    if (of === undefined) pick(nearest.run);
    say(event, `${of === undefined ? data.runs[nearest.run].name : nearest.series}\n${short(nearest.y)} in epoch ${short(nearest.x)}`);
  });
  place.addEventListener("pointerleave", () => view.data("cursor", []).runAsync());
}

// A trial is drawn when it is opened; all else one after the other
async function drawAll(places) {
  for (const place of places) {
    await draw(place);
    await new Promise(done => setTimeout(done));
  }
}
const shown = () => [...document.querySelectorAll(".chart")].filter(place => place.offsetParent !== null);
addEventListener("hashchange", () => drawAll(shown()));
addEventListener("load", async () => { // only now it is known which trial is open
  await drawAll(shown());
  document.documentElement.dataset.ready = "yes";
});

// Samples over the epochs
for (const film of document.querySelectorAll(".film")) {
  const frames = data.runs[film.dataset.film].frames;
  const picture = film.querySelector("img"), slider = film.querySelector("input"), button = film.querySelector("button");
  const last = picture.src;
  if (!slider) continue;
  const show = () => {
    const [epoch, address] = frames[slider.value];
    picture.src = address || last;
    picture.alt = `samples of trial ${film.dataset.film}, epoch ${epoch}`;
    film.querySelector("output").textContent = `epoch ${epoch}`;
  };
  let playing = 0;
  const stop = () => { clearInterval(playing); playing = 0; button.textContent = "▶"; button.ariaLabel = "play"; };
  slider.addEventListener("input", () => { stop(); show(); });
  button.addEventListener("click", () => {
    if (playing) return stop();
    button.textContent = "❚❚"; button.ariaLabel = "stop";
    if (slider.value === slider.max) slider.value = 0;
    show();
    playing = setInterval(() => {
      if (slider.value === slider.max) return stop();
      slider.value = Number(slider.value) + 1;
      show();
    }, Math.max(120, Math.min(600, 6000 / frames.length)));
  });
}
