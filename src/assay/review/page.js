"use strict";
// Reads out the points of a chart's lines under the pointer, or with the arrow keys. Nothing else needs this script.
for (const plot of document.querySelectorAll("svg[data-series]")) {
  const series = JSON.parse(plot.dataset.series);
  const places = [...new Set(series.flatMap((one) => one.points.map((point) => point[3])))].sort((a, b) => a - b);
  const cursor = plot.querySelector(".cursor");
  const readout = plot.parentElement.querySelector(".readout");
  const box = plot.viewBox.baseVal;
  let at = -1;
  const make = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    cursor.append(made);
  };
  const nearest = (points, place) => points.reduce((a, b) => (Math.abs(b[3] - place) < Math.abs(a[3] - place) ? b : a));
  const show = (place) => {
    const found = series.map((one) => [one.name, nearest(one.points, place)]);
    const [, first] = found.reduce((a, b) => (Math.abs(b[1][3] - place) < Math.abs(a[1][3] - place) ? b : a));
    cursor.replaceChildren();
    make("line", { x1: first[3], x2: first[3], y1: 12, y2: box.height - 38 });
    for (const [, point] of found) make("circle", { cx: point[3], cy: point[4], r: 3 });
    const said = found.map(([name, point]) => `${name} ${point[2]}` + (point[0] === first[0] ? "" : ` (step ${point[0]})`));
    readout.textContent = `step ${first[0]}, epoch ${first[1] + 1}: ${said.join(" · ")}`;
  };
  const hide = () => { cursor.replaceChildren(); readout.textContent = ""; at = -1; };
  plot.addEventListener("pointermove", (event) => {
    const around = plot.getBoundingClientRect();
    const place = ((event.clientX - around.left) / around.width) * box.width;
    at = places.indexOf(places.reduce((a, b) => (Math.abs(b - place) < Math.abs(a - place) ? b : a)));
    show(places[at]);
  });
  plot.addEventListener("pointerleave", hide);
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 10 : 1;
    if (event.key === "ArrowRight") at = Math.min(at + far, places.length - 1);
    else if (event.key === "ArrowLeft") at = Math.max((at < 0 ? places.length : at) - far, 0);
    else if (event.key === "Escape") return hide();
    else return;
    event.preventDefault();
    show(places[at]);
  });
}
for (const details of document.querySelectorAll("details")) {
  let was = false;
  addEventListener("beforeprint", () => { was = details.open; details.open = details.open || details.dataset.print === "open"; });
  addEventListener("afterprint", () => { details.open = was; });
}
