"use strict";
// Cells of the confusion matrix open their photos; a label shows its photos by what they were taken for.
// What comes from data files only ever becomes text.
(() => {
  const data = JSON.parse(document.getElementById("cells").textContent);
  const pictures = JSON.parse(document.getElementById("pictures").textContent);
  const $ = id => document.getElementById(id);
  let view = "all";

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  function figure([number, where, confidence]) {
    const image = number === null ? make("div", {class: "nopicture"}, "no room for its picture")
      : make("img", {src: `data:image/jpeg;base64,${pictures[number]}`, alt: "", decoding: "async"});
    return make("figure", {}, image, make("figcaption", {}, `${confidence.toFixed(3)}: ${where}`));
  }

  function photos(cell) {
    const all = data.photos[cell] ?? [];
    return view === "all" ? all : all.filter(([, , confidence]) => confidence >= data.sure);
  }

  function open(cell) {
    const [label, prediction] = cell.split("-").map(at => data.classes[at]), shown = photos(cell);
    $("cell-title").textContent = label === prediction ? `${label}, recognised` : `${label}, taken for ${prediction}`;
    $("cell-note").textContent = `${shown.length} of ${data.totals[cell]} crops, the most confident first.`;
    $("cell-photos").replaceChildren(...shown.map(figure));
    $("cell").showModal();
  }

  function choose(name) {
    view = name;
    for (const each of document.querySelectorAll("[data-matrix]")) each.hidden = each.dataset.matrix !== view;
    for (const each of document.querySelectorAll("[data-view]")) each.setAttribute("aria-pressed", each.dataset.view === view);
    showLabel();
  }

  function showLabel() {
    const at = $("of-label").value;
    const groups = data.classes.map((name, other) => [name, `${at}-${other}`]).filter(([, cell]) => photos(cell).length);
    groups.sort(([, a], [, b]) => data.totals[b] - data.totals[a]);
    const drawn = groups.map(([name, cell]) => make("section", {},
      make("h4", {}, `taken for ${name}: ${data.totals[cell].toLocaleString("en")}`),
      make("div", {class: "grid"}, ...photos(cell).slice(0, 8).map(figure))));
    const bins = data.reliability[at];
    $("of-label-shown").replaceChildren(...bins ? [reliability(bins, data.classes[at])] : [], ...drawn);
  }

  // How often predictions of a label are right, by their confidence: dots as large as they are many.
  function reliability(bins, name) {
    const side = 200, most = Math.max(...bins.map(([, , number]) => number));
    const place = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(place, "svg");
    const add = (tag, attributes, text = "") => {
      const element = document.createElementNS(place, tag);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      element.textContent = text;
      svg.append(element);
      return element;
    };
    svg.setAttribute("viewBox", "-30 -12 250 250");
    svg.setAttribute("width", 250);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `how often predictions of ${name} are right, by their confidence`);
    add("path", {d: `M0 0V${side}H${side}`, fill: "none", stroke: "currentColor"});
    add("path", {d: `M0 ${side}L${side} 0`, stroke: "currentColor", "stroke-dasharray": 4, "stroke-opacity": .6});
    for (const [confidence, right, number] of bins) {
      const dot = add("circle", {cx: side * confidence, cy: side * (1 - right), r: 3 + 6 * Math.sqrt(number / most),
        fill: "hsl(205 70% 50%)", "fill-opacity": .75});
      const title = document.createElementNS(place, "title");
      title.textContent = `confidence ${confidence.toFixed(2)}: ${(100 * right).toFixed(0)}% of ${number} right`;
      dot.append(title);
    }
    const words = {"font-size": 12, fill: "currentColor"};
    add("text", {x: 0, y: side + 18, ...words}, "confidence, 0 to 1");
    add("text", {x: -side, y: -8, transform: "rotate(-90)", ...words}, "right, 0 to 1");
    return make("div", {}, make("p", {class: "note"}, `How often predictions of ${name} are right, by confidence:`), svg);
  }

  // The same photos without a mouse: a button behind each of the most frequent confusions.
  [...document.querySelectorAll("#worst tr")].forEach((row, number) => {
    const [a, b] = [...row.cells].map(cell => data.classes.indexOf(cell.textContent));
    const button = make("button", {type: "button", class: "button", "data-cell": `${a}-${b}`}, "photos");
    row.append(number ? make("td", {}, button) : make("th"));
  });
  for (const [at, name] of data.classes.entries()) $("of-label").append(make("option", {value: at}, name));
  $("of-label").addEventListener("change", showLabel);
  for (const button of document.querySelectorAll("[data-view]")) button.addEventListener("click", () => choose(button.dataset.view));
  document.addEventListener("click", event => {
    const cell = event.target.closest("[data-cell]");
    if (cell) open(cell.dataset.cell);
  });
  choose("all");
})();
