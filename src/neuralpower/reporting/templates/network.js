// A network's page: the layers' figures on the chosen platforms, and the picture that they colour.
// The figures of all platforms stand in the page, compressed; the first platform's in the table.
(() => {
  const table = document.getElementById("layers");
  const store = document.getElementById("figures");
  const picture = document.querySelector("svg.picture");
  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  };

  const load = async () => {
    const bytes = Uint8Array.from(atob(store.textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).json();
  };
  const figures = store ? load() : null;

  // Colours of shares: six steps, each of twice the share, up to the largest.
  const stepsOf = (shares) => {
    const top = Math.max(0, ...shares.filter((share) => share !== null));
    return top ? [32, 16, 8, 4, 2, 1 / 0.9].map((n) => top / n) : [];
  };
  const level = (share, steps) => steps.filter((step) => share && share >= step).length;

  // Cells of a platform: a row of figures by column, a share as a number.
  const cellsOf = (own, row) => own.columns.map((column, j) => {
    const text = own.rows[row]?.[j] ?? null;
    if (column.kind !== "share") return element("td", text ?? "");
    const step = level(text, own.steps[j]);
    const shown = text === null ? "" : (100 * text).toFixed(1);
    return element("td", shown, step ? { class: `h${step}` } : {});
  });
  const headOf = (column) => {
    const head = element("th", "", { scope: "col", "aria-sort": "none" });
    if (column.kind !== "words") { head.className = "n"; head.dataset.n = "1"; }
    head.append(element("button", column.label, { type: "button" }));
    return head;
  };

  const fill = (all, names) => {
    const heads = table.tHead.rows;
    const columns = heads[heads.length - 1];
    const after = table.dataset.after;
    for (const row of [columns, ...table.tBodies[0].rows, ...table.tFoot.rows]) {
      while (row.cells.length > 1 + Number(after)) row.cells[1].remove();
    }
    while (heads[0].cells.length > 2) heads[0].cells[1].remove();
    const kinds = [];
    for (const name of names) {
      const own = all[name];
      own.steps ??= own.columns.map((column, j) =>
        column.kind === "share" ? stepsOf(own.rows.map((row) => row?.[j] ?? null)) : []);
      heads[0].cells[heads[0].cells.length - 1].before(
        element("th", own.title, { scope: "colgroup", colspan: own.columns.length }));
      const last = columns.cells.length - after;
      columns.cells[last].before(...own.columns.map(headOf));
      for (const row of table.tBodies[0].rows) {
        row.cells[last].before(...cellsOf(own, Number(row.id.slice(1))));
      }
      for (const row of table.tFoot.rows) {
        row.cells[last].before(...own.total.map((text) => element("td", text ?? "")));
      }
      kinds.push(...own.columns.map((column) => column.kind));
    }
    // What looks alike is said by place, as in the table that the page came with.
    const at = (kind) => kinds.flatMap((own, n) => own === kind ? [`:nth-child(${n + 2})`] : []);
    const rule = (kind, look) => at(kind).length
      ? `#layers :is(tbody,tfoot) tr>:is(${at(kind)}){${look}}` : "";
    const right = "text-align:right;white-space:nowrap;";
    document.getElementById("layers-look").textContent = rule("number", right)
      + rule("share", right) + rule("ends", `${right}color:var(--quiet)`)
      + rule("words", "color:var(--quiet);min-width:12rem;max-width:22rem");
  };

  const colour = (all, platform, metric) => {
    const key = document.querySelector(".key");
    const own = all[platform];
    const place = (name) => own.columns.findIndex((column) => column.share === name);
    const known = place(metric) >= 0 ? metric : "runtime";
    const j = place(known);
    const shares = new Map();
    for (const row of table.tBodies[0].rows) {
      const box = row.cells[0].querySelector("a")?.hash.slice(1);
      const share = own.rows[Number(row.id.slice(1))]?.[j] ?? null;
      if (share !== null) shares.set(box, (shares.get(box) ?? 0) + share);
    }
    const steps = stepsOf([...shares.values()]);
    for (const box of picture.querySelectorAll(".box")) {
      const share = shares.get(box.id) ?? null;
      box.setAttribute("class", share === null ? "box none" : `box h${level(share, steps)}`);
      box.querySelector(".p").textContent = share === null ? "" : `${(100 * share).toFixed(1)} %`;
    }
    if (!key) return;
    key.querySelector(".of").textContent = `${known} on ${platform}, per cent from:`;
    [...key.querySelectorAll("b")].forEach((text, n) => {
      text.textContent = n ? (100 * (steps[n - 1] ?? 0)).toPrecision(2) : "0";
    });
  };

  document.addEventListener("switched", async ({ detail }) => {
    if (!figures) return;
    const all = await figures;
    const platform = detail.platform ?? Object.keys(all)[0];
    const names = [platform, detail.other].filter((name, n, own) => name && own.indexOf(name) === n);
    fill(all, names.filter((name) => all[name]));
    if (picture && all[platform]) colour(all, platform, detail.metric);
  });

  if (!picture) return;
  // Zoom.
  const frame = picture.parentElement;
  const natural = picture.viewBox.baseVal.width;
  const zoomed = (share) => {
    picture.style.width = `${Math.round(natural * Math.min(Math.max(share, 0.2), 3))}px`;
    picture.style.height = "auto";
  };
  const now = () => picture.getBoundingClientRect().width / natural;
  const whole = () => Math.min((frame.clientWidth - 18) / natural, 1);
  const acts = {
    in: () => zoomed(now() * 1.25), out: () => zoomed(now() / 1.25), fit: () => zoomed(whole()),
  };
  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", acts[button.dataset.zoom]);
    button.parentElement.hidden = false;
  }
  if (frame.clientWidth) zoomed(Math.max(whole(), 0.7));
  // One stop for the Tab key; the arrow keys go from box to box.
  const boxes = [...picture.querySelectorAll(".box")];
  boxes.forEach((box, n) => box.setAttribute("tabindex", n ? "-1" : "0"));
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
  picture.addEventListener("keydown", (event) => {
    const from = boxes.indexOf(document.activeElement);
    const to = event.key === "Home" ? 0 : event.key === "End" ? boxes.length - 1
      : from + (step[event.key] ?? 0);
    if (from < 0 || to === from || !boxes[to]) return;
    event.preventDefault();
    boxes[from].setAttribute("tabindex", "-1");
    boxes[to].setAttribute("tabindex", "0");
    boxes[to].focus();
  });
})();
