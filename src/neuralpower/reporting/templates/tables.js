// Sorting and filtering of tables. Without this script every table is whole.
(() => {
  const value = (row, column, numeric) => {
    const cell = row.cells[column];
    const text = cell.textContent.trim();
    if (!numeric) return text;
    const given = cell.dataset.v;
    if (given !== undefined) return given === "" ? null : Number(given);
    // The last number of the text: of an interval its upper end, of "61.1 M" 61.1 million.
    const match = text.match(/(-?[\d.]+(?:e[-+]?\d+)?)(?: ([kMGT]))?$/);
    return match ? Number(match[1]) * 1000 ** " kMGT".indexOf(match[2] ?? " ") : null;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b
      : String(a).localeCompare(String(b), "en", { numeric: true });

  // Tables and columns may come and go: what is pressed is looked at when it is pressed.
  const first = new WeakMap();
  document.addEventListener("click", (event) => {
    const head = event.target.closest?.("table[data-sortable] thead button")?.closest("th");
    if (!head) return;
    const table = head.closest("table");
    if (!first.has(table)) first.set(table, [...table.tBodies[0].rows]);
    // Numbers first descend (what costs most), words first ascend; a third click restores.
    const order = head.dataset.n ? ["descending", "ascending"] : ["ascending", "descending"];
    const next = order[order.indexOf(head.getAttribute("aria-sort")) + 1] ?? null;
    for (const other of head.parentElement.cells) {
      if (other.querySelector("button")) other.setAttribute("aria-sort", "none");
    }
    let rows = [...first.get(table)];
    if (next) {
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const column = head.cellIndex;
      rows = rows.map((row) => [value(row, column, head.dataset.n), row]).sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * compare(a, b);
      }).map(([, row]) => row);
    }
    table.tBodies[0].append(...rows);
  });

  document.addEventListener("input", ({ target }) => {
    if (!target.dataset?.filters) return;
    const rows = [...document.getElementById(target.dataset.filters).tBodies[0].rows];
    const words = target.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    target.closest(".tools").querySelector("output").textContent =
      words.length ? `${shown} of ${rows.length} rows` : "";
  });
})();
