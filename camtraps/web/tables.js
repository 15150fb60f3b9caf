"use strict";
// Tables of class "sorts": a click on a heading sorts the rows by that column, another click the other way.
for (const table of document.querySelectorAll("table.sorts")) {
  const headings = [...table.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const isText = heading.classList.contains("text");
      const before = heading.getAttribute("aria-sort");
      const down = before ? before === "ascending" : !isText;
      headings.forEach(other => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(table, column, isText, down);
    });
  });
}

function sort(table, column, isText, down) {
  const value = row => {
    const text = row.cells[column].textContent;
    return isText ? text : parseFloat(text.replaceAll(",", ""));
  };
  const rows = [...table.rows].slice(1).map(row => [value(row), row]);
  rows.sort(([a], [b]) => {
    if (isText) return (down ? -1 : 1) * a.localeCompare(b, undefined, {numeric: true});
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);  // what is not known stays last
    return down ? b - a : a - b;
  });
  rows[0]?.[1].parentNode.append(...rows.map(([, row]) => row));
}
