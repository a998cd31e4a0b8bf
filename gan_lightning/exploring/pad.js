// The plane of four seeds: a handle that is dragged, or moved by the arrow keys.
const plane = element.querySelector(".plane"), picture = plane.querySelector("img"), handle = plane.querySelector(".handle");
let at = { across: 0.5, down: 0.5 }, held = false, settling;

function move(across, down) {
  at = { across: Math.min(1, Math.max(0, across)), down: Math.min(1, Math.max(0, down)) };
  handle.style.left = `${100 * at.across}%`;
  handle.style.top = `${100 * at.down}%`;
  plane.classList.remove("away");
  trigger("input", at);
}

function follow(event) {
  const box = plane.getBoundingClientRect();
  move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}

plane.addEventListener("pointerdown", (event) => {
  held = true;
  plane.setPointerCapture(event.pointerId);
  follow(event);
});
plane.addEventListener("pointermove", (event) => { if (held) follow(event); });
for (const end of ["pointerup", "pointercancel"])
  plane.addEventListener(end, () => {
    if (held) { held = false; trigger("release", at); }
  });
plane.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!step) return;
  event.preventDefault();
  move(at.across + step[0] / 50, at.down + step[1] / 50);
  clearTimeout(settling);
  settling = setTimeout(() => trigger("release", at), 300);
});

watch("value", () => {
  const shown = props.value;
  if (!shown || !shown.picture) return;
  picture.src = shown.picture;
  if (held) return;
  plane.classList.toggle("away", shown.away);
  if (!shown.away) at = { across: shown.across, down: shown.down };
  handle.style.left = `${100 * at.across}%`;
  handle.style.top = `${100 * at.down}%`;
});
