// Of the page of many runs: tables that sort, a baseline that can be chosen, ranges picked on parallel coordinates.
{
  const element = (name, attributes, ...inner) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...inner);
    return made;
  };
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell && cell.dataset.v !== undefined ? cell.dataset.v : cell ? cell.textContent.trim() : "";
  };
  const compare = (a, b) => {
    if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
  };
  const sortable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.classList.contains("strip")) return;
      const button = element("button", { type: "button", class: "sort" }, ...head.childNodes);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const was = head.getAttribute("aria-sort");
        const down = was ? was === "ascending" : head.classList.contains("n");
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].map((row) => [key(row, column), row]);
        rows.sort((a, b) => (down && a[0] !== "" && b[0] !== "" ? compare(b[0], a[0]) : compare(a[0], b[0])));
        table.tBodies[0].append(...rows.map((pair) => pair[1]));
      });
    });
  };
  const baselines = (table, tools) => {
    const found = JSON.parse(table.dataset.differences);
    const select = element("select", {}, ...found.map((one) => element("option", { value: one.cell }, one.name)));
    select.value = table.dataset.baseline;
    tools.append(element("label", {}, "difference to ", select));
    const column = [...table.tHead.rows[0].cells].findIndex((head) => head.classList.contains("to"));
    const rows = [...table.tBodies[0].rows].map((row) => [Number(row.dataset.cell), row]);
    select.addEventListener("change", () => {
      const chosen = found.find((one) => String(one.cell) === select.value);
      table.closest(".ranked").previousElementSibling.querySelector(".to-name").textContent = chosen.name;
      for (const [place, row] of rows) {
        const [text, p, value, corrected, sure] = place === chosen.cell ? ["baseline", "", 0, null, 0] : chosen.rows[place];
        const [difference, probability] = [row.cells[column], row.cells[column + 1]];
        difference.textContent = text;
        difference.className = sure ? "n to sure" : "n to";
        probability.textContent = p;
        for (const [cell, held] of [[difference, value], [probability, corrected]]) {
          if (held === null) delete cell.dataset.v;
          else cell.dataset.v = held;
        }
      }
    });
  };
  const filter = (table, tools) => {
    const box = element("input", { type: "search", placeholder: "gru adam", autocomplete: "off" });
    tools.append(element("label", {}, "rows with ", box));
    const around = table.closest(".ranked");
    const rows = [...table.tBodies[0].rows].map((row) => [[...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase(), row]);
    box.addEventListener("input", () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      around.classList.toggle("filtered", words.length > 0);
      for (const [text, row] of rows) row.hidden = !words.every((word) => text.includes(word));
    });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    sortable(table);
    const tools = element("div", { class: "tools" });
    if (table.dataset.differences) baselines(table, tools);
    if (table.tBodies[0].rows.length > 12) filter(table, tools);
    if (tools.childNodes.length) table.closest(".ranked").prepend(tools);
  }
  for (const plot of document.querySelectorAll("svg.parallel")) {
    const lines = [...plot.querySelectorAll("polyline")].map((line) => [line, line.getAttribute("points").split(" ").map((pair) => Number(pair.split(",")[1]))]);
    const said = plot.closest(".scroll").nextElementSibling;
    const chosen = new Map();
    const draw = () => {
      let kept = 0;
      for (const [line, places] of lines) {
        const inside = [...chosen].every(([axis, spans]) => !spans.length || spans.some(([low, high]) => places[axis] >= low && places[axis] <= high));
        line.classList.toggle("out", !inside);
        kept += inside;
      }
      said.textContent = kept === lines.length ? "" : `${kept} of ${lines.length} cells; click beside a value, or press it again, to let go`;
    };
    for (const group of plot.querySelectorAll(".coordinate")) {
      const [axis, x, room] = [Number(group.dataset.axis), Number(group.dataset.x), Number(group.dataset.room)];
      const make = (name, attributes) => {
        const made = document.createElementNS("http://www.w3.org/2000/svg", name);
        for (const [name_, value] of Object.entries(attributes)) made.setAttribute(name_, value);
        return made;
      };
      const line = group.querySelector(".axis");
      const [top, foot] = [Number(line.getAttribute("y1")), Number(line.getAttribute("y2"))];
      const band = make("rect", { x: x - 8, width: 16, y: top, height: 0, class: "chosen" });
      const area = make("rect", { x: x - 14, width: 20, y: top, height: foot - top, class: "reach" });
      group.prepend(area, band);
      const values = [...group.querySelectorAll(".value")];
      const forget = () => {
        chosen.delete(axis);
        band.setAttribute("height", 0);
        for (const value of values) value.setAttribute("aria-pressed", "false");
      };
      let from = null;
      const at = (event) => {
        const around = plot.getBoundingClientRect();
        return Math.min(Math.max(((event.clientY - around.top) / around.height) * plot.viewBox.baseVal.height, top), foot);
      };
      area.addEventListener("pointerdown", (event) => { forget(); from = at(event); area.setPointerCapture(event.pointerId); draw(); });
      area.addEventListener("pointermove", (event) => {
        if (from === null) return;
        const [low, high] = [from, at(event)].sort((a, b) => a - b);
        if (high - low < 3) return;
        chosen.set(axis, [[low, high]]);
        band.setAttribute("y", low);
        band.setAttribute("height", high - low);
        draw();
      });
      for (const name of ["pointerup", "pointercancel"]) area.addEventListener(name, () => { from = null; });
      for (const value of values) {
        for (const [name, held] of [["role", "button"], ["tabindex", "0"], ["aria-pressed", "false"]]) value.setAttribute(name, held);
        const press = () => {
          const pressed = value.getAttribute("aria-pressed") !== "true";
          value.setAttribute("aria-pressed", String(pressed));
          band.setAttribute("height", 0);
          const others = values.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => Number(one.dataset.y));
          chosen.set(axis, others.map((one) => [one - room, one + room]));
          draw();
        };
        value.addEventListener("click", press);
        value.addEventListener("keydown", (event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          press();
        });
      }
    }
  }
}
