"use strict";
// Headers become buttons that sort their table. Without this script, tables stay as they were made.
for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sort(table, headers, header, column));
  });
}

function sort(table, headers, header, column) {
  // Numbers begin with the greatest, names with the first.
  const first = header.classList.contains("number") ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = header.getAttribute("aria-sort") === first ? other : first;
  headers.forEach((one) => one.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", order);
  const body = table.tBodies[0];
  const sign = order === "ascending" ? 1 : -1;
  const rows = [...body.rows].map((row) => ({ row, cell: row.cells[column] }));
  rows.sort((a, b) => compare(a.cell, b.cell, sign));
  body.append(...rows.map((one) => one.row));
}

function compare(a, b, sign) {
  // What has no data comes last, whatever the order is.
  const missing = a.classList.contains("missing") - b.classList.contains("missing");
  if (missing) return missing;
  if (a.dataset.key !== undefined && b.dataset.key !== undefined) {
    return sign * (Number(a.dataset.key) - Number(b.dataset.key));
  }
  const keyed = (a.dataset.key === undefined) - (b.dataset.key === undefined);
  if (keyed) return keyed;
  return sign * a.textContent.localeCompare(b.textContent, undefined, { numeric: true });
}
