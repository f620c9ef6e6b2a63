"use strict";
// Sorting and filtering of tables, and the choice of what colours the picture of a network.
// Without this script every table is whole and in its first order.
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

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const body = table.tBodies[0];
    const first = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        // Numbers first descend (what costs most), words first ascend; a third click restores.
        const order = head.dataset.n ? ["descending", "ascending"] : ["ascending", "descending"];
        const next = order[order.indexOf(head.getAttribute("aria-sort")) + 1] ?? null;
        for (const other of heads) {
          if (other.querySelector("button")) other.setAttribute("aria-sort", "none");
        }
        let rows = [...first];
        if (next) {
          head.setAttribute("aria-sort", next);
          const sign = next === "ascending" ? 1 : -1;
          rows = rows.map((row) => [value(row, column, head.dataset.n), row]).sort(([a], [b]) => {
            if (a === null || b === null) return (a === null) - (b === null);
            return sign * compare(a, b);
          }).map(([, row]) => row);
        }
        body.append(...rows);
      });
    });
  }

  for (const input of document.querySelectorAll("input[data-filters]")) {
    const rows = [...document.getElementById(input.dataset.filters).tBodies[0].rows];
    const output = input.closest(".tools").querySelector("output");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      output.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    });
  }

  for (const select of document.querySelectorAll("select[data-colours]")) {
    const boxes = document.querySelectorAll(`#${select.dataset.colours} [data-h]`);
    select.addEventListener("change", () => {
      for (const box of boxes) {
        const level = box.dataset.h.split(" ")[select.selectedIndex];
        box.setAttribute("class", level === "-" ? "box none" : `box h${level}`);
      }
    });
  }
})();
