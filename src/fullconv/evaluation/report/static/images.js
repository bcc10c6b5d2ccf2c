"use strict";
// Sort and filter the table of images. The pictures follow the filter; without this script, the
// page shows everything in the order of cost.

const section = document.querySelector("#images");
const table = section.querySelector("table");
const body = table.tBodies[0];
const headers = [...table.tHead.rows[0].cells];
const rows = [...body.rows];
const form = section.querySelector("form");
const pictures = [...document.querySelectorAll(".gallery > figure")];
const collator = new Intl.Collator(undefined, { numeric: true });

function compare(column, isNumber, sign) {
  return (one, other) => {
    const [a, b] = [one, other].map((row) => row.cells[column]);
    if (!isNumber) return sign * collator.compare(a.textContent, b.textContent);
    if (!a.dataset.value || !b.dataset.value) return !a.dataset.value - !b.dataset.value;
    return sign * (a.dataset.value - b.dataset.value);
  };
}

function sort(header, direction) {
  headers.forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", direction);
  const isNumber = header.dataset.sort === "number";
  const sign = direction === "ascending" ? 1 : -1;
  rows.sort(compare(headers.indexOf(header), isNumber, sign));
  body.append(...rows);
}

// The first click sorts texts upwards and numbers downwards, the next one the other way round.
function toggle(header) {
  const first = header.dataset.sort === "number" ? "descending" : "ascending";
  const second = first === "ascending" ? "descending" : "ascending";
  sort(header, header.getAttribute("aria-sort") === first ? second : first);
}

function showClass(label) {
  const column = headers.findIndex((header) => header.classList.contains("of-class"));
  headers[column].hidden = !label;
  for (const row of rows) {
    const found = row.dataset.iou.split(" ").find((entry) => entry.startsWith(label + ":"));
    const cell = row.cells[column];
    cell.hidden = !label;
    cell.dataset.value = label && found ? found.split(":")[1] : "";
    cell.textContent = cell.dataset.value && cell.dataset.value + " %";
  }
  sort(label ? headers[column] : headers.find((header) => header.dataset.sort === "number"),
    label ? "ascending" : "descending");
}

function filter() {
  const words = form.elements.text.value.toLowerCase().split(/\s+/);
  const label = form.elements.label?.value;
  const kept = new Set();
  for (const row of rows) {
    const text = [...row.cells].filter((_, i) => headers[i].dataset.sort === "text")
      .map((cell) => cell.textContent.toLowerCase()).join(" ");
    const inClass = !label || row.cells[headers.length - 1].dataset.value;
    row.hidden = !(inClass && words.every((word) => text.includes(word)));
    if (!row.hidden) kept.add(row.dataset.image);
  }
  for (const picture of pictures) picture.hidden = !kept.has(picture.dataset.image);
  for (const gallery of document.querySelectorAll(".gallery")) {
    gallery.querySelector(".none").hidden = !!gallery.querySelector(":scope > figure:not([hidden])");
  }
  form.querySelector("output").textContent = `${kept.size} of ${rows.length} images`;
}

for (const header of headers) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...header.childNodes);
  button.addEventListener("click", () => toggle(header));
  header.append(button);
}
form.elements.text.addEventListener("input", filter);
form.elements.label?.addEventListener("change", (event) => {
  showClass(event.target.value);
  filter();
});
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = false;
filter();
