"use strict";
// The review of suspected labels: photos one by one or as a grid, decisions by keyboard, kept in the browser, saved as CSV.
// What comes from data files only ever becomes text: nothing here writes HTML.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const pictures = JSON.parse(document.getElementById("pictures").textContent);
  const candidates = data.candidates;
  const COLUMNS = ["dataset", "file", "correct_class", "reviewer", "date", "reason", "decision", "label", "predicted"];
  const KEPT = `camtraps review ${data.run}`, NAME = "camtraps reviewer";
  const CARD = {width: 172, height: 224};  // pixels, with the space between
  const MOST_OPTIONS = 60;

  const $ = id => document.getElementById(id);
  const photoOf = row => `${row.dataset}\n${row.file}`;
  const indexOf = new Map(candidates.map((each, at) => [photoOf(each), at]));

  let decisions = new Map();  // index of a candidate -> {decision, correct_class, reviewer, date, reason}
  let history = [];  // what undo takes back: [index, the decision before]
  let shown = [];  // indices that pass the filters
  let current = 0;
  let isSaved = true;

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  function picture(number, alternative) {
    if (number === null || number === undefined) return make("div", {class: "nopicture"}, "no picture here");
    return make("img", {src: `data:image/jpeg;base64,${pictures[number]}`, alt: alternative, decoding: "async"});
  }

  const percent = share => share > 0 && share < .005 ? "<1%" : `${Math.round(share * 100)}%`;

  // ---- what is kept in the browser

  function remember(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      tell("This browser keeps nothing for pages from a disk: save the CSV before you close the page.");
    }
  }

  function recall(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  }

  function keep() {
    isSaved = false;
    remember(KEPT, JSON.stringify(rows()));
  }

  function rows() {
    return [...decisions.keys()].sort((a, b) => a - b).map(at => {
      const {dataset, file, label, predicted} = candidates[at];
      return {dataset, file, label, predicted, ...decisions.get(at)};
    });
  }

  // ---- CSV

  const quoted = text => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

  function csv() {
    const lines = rows().map(row => COLUMNS.map(name => quoted(row[name] ?? "")).join(","));
    return [COLUMNS.join(","), ...lines].join("\n") + "\n";
  }

  function parsed(text) {
    const table = [[""]];
    let isQuoted = false;
    for (let at = text.charCodeAt(0) === 0xFEFF ? 1 : 0; at < text.length; at++) {
      const row = table.at(-1), sign = text[at];
      if (isQuoted) {
        if (sign !== '"') row[row.length - 1] += sign;
        else if (text[at + 1] === '"') row[row.length - 1] += text[++at];
        else isQuoted = false;
      } else if (sign === '"' && row.at(-1) === "") isQuoted = true;
      else if (sign === ",") row.push("");
      else if (sign === "\n") table.push([""]);
      else if (sign !== "\r") row[row.length - 1] += sign;
    }
    const [names, ...given] = table.filter(row => row.length > 1 || row[0] !== "");
    return (given ?? []).map(row => Object.fromEntries(names.map((name, at) => [name, row[at] ?? ""])));
  }

  function take(row) {
    const at = indexOf.get(photoOf(row));
    if (at === undefined) return false;
    const right = row.correct_class ?? "";
    const decision = ["right", "wrong", "unknown"].includes(row.decision) ? row.decision
      : right === "" ? "unknown" : right === candidates[at].label ? "right" : "wrong";
    const {reviewer = "", date = "", reason = ""} = row;
    decisions.set(at, {decision, correct_class: right, reviewer, date, reason});
    return true;
  }

  function save() {
    const address = URL.createObjectURL(new Blob([csv()], {type: "text/csv"}));
    make("a", {href: address, download: `corrections-${data.name}.csv`}).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    isSaved = true;
    tell(`${decisions.size} decisions saved as corrections-${data.name}.csv, where this browser puts its downloads. ` +
      `Bring them in with: ${data.command}`);
  }

  async function load(file) {
    const given = parsed(await file.text());
    if (!given.length || !["dataset", "file", "correct_class"].every(name => name in given[0])) {
      tell(`${file.name}: no decisions in it; it must have the columns dataset, file and correct_class.`);
      return;
    }
    const taken = given.filter(take).length;
    history = [];
    keep();
    isSaved = true;
    const rest = given.length - taken;
    filter();
    go(firstOpen());
    tell(`${taken} decisions loaded from ${file.name}.` + (rest ? ` ${rest} are about photos that are not here.` : ""));
  }

  // ---- deciding

  function decide(decision, right) {
    if (!candidates.length) return;
    if (!recall(NAME) && !$("name").value) {
      ask();
      return;
    }
    history.push([current, decisions.get(current)]);
    const date = new Date().toISOString().slice(0, 19) + "Z";
    const reviewer = recall(NAME) || $("name").value;
    decisions.set(current, {decision, correct_class: right, reviewer, date, reason: $("reason").value.trim()});
    keep();
    next(true);
  }

  function undo() {
    const last = history.pop();
    if (!last) {
      tell("There is nothing to undo.");
      return;
    }
    const [at, before] = last;
    if (before) decisions.set(at, before);
    else decisions.delete(at);
    keep();
    go(at);
  }

  // The next one of those shown; `open` passes over those that are decided.
  function next(open) {
    const place = shown.indexOf(current);
    const later = shown.slice(place + 1), all = open ? [...later, ...shown.slice(0, place + 1)] : later;
    const found = all.find(at => !open || !decisions.has(at));
    if (found === undefined && open) tell("All of these are decided. Save the CSV when you are done.");
    go(found ?? current);
  }

  function back() {
    const place = shown.indexOf(current);
    if (place > 0) go(shown[place - 1]);
  }

  const firstOpen = () => shown.find(at => !decisions.has(at)) ?? shown[0] ?? 0;

  // ---- one photo

  function go(at) {
    current = at;
    draw();
  }

  const WORDS = {
    right: () => "the label is right", unknown: () => "the label is wrong, the right one unknown",
    wrong: each => `wrong: it is ${each.correct_class}`,
  };

  function draw() {
    const share = candidates.length ? decisions.size / candidates.length : 0;
    $("bar").value = share;
    $("count").textContent = `${decisions.size} of ${candidates.length} decided`;
    $("matching").textContent = `${shown.length} of ${candidates.length} shown`;
    $("who").textContent = recall(NAME) ? `Reviewer: ${recall(NAME)}` : "Who decides?";
    if ($("grid").hidden) drawOne();
    else drawGrid(true);
  }

  function drawOne() {
    const each = candidates[current];
    $("one").hidden = !shown.length;
    if (!shown.length) {
      tell(candidates.length ? "No photo passes the filters." : "No label is suspected.");
      return;
    }
    const bold = text => make("strong", {}, text);
    $("question").replaceChildren("Labelled ", bold(each.label), ", looks like ", bold(each.predicted), "?");
    drawPhoto(each);
    $("crop").replaceChildren(picture(each.crop, `crop of the animal, labelled ${each.label}`));
    $("bars").replaceChildren(...bars(each));
    $("evidence").replaceChildren(...each.evidence.map(text => make("li", {}, text)));
    const decision = decisions.get(current);
    $("decided").textContent = decision ? `Decided by ${decision.reviewer}: ${WORDS[decision.decision](decision)}` : "";
    $("reason").value = decision ? decision.reason : "";
    $("near").replaceChildren(...neighbours(each.label, each.near.label), ...neighbours(each.predicted, each.near.predicted));
  }

  function drawPhoto(each) {
    if (each.photo === null) {
      $("photo").replaceChildren(make("p", {class: "absent"}, `Only the crop is shown: ${each.no_photo}.`));
    } else {
      const box = make("div", {class: "box"});
      const [x, y, w, h] = each.rectangle;
      Object.assign(box.style, {left: `${x * 100}%`, top: `${y * 100}%`, width: `${w * 100}%`, height: `${h * 100}%`});
      $("photo").replaceChildren(picture(each.photo, "the whole photo, the animal in a yellow box"), box);
    }
    $("where").textContent = `No. ${current + 1}: ${each.dataset}, location ${each.location}, ${each.split}: ${each.file}`;
  }

  function bars(each) {
    return each.probabilities.map(([name, share]) => {
      const fill = make("div", {class: "fill"});
      fill.style.width = `${share * 100}%`;
      const kind = name === each.label ? "labelled" : "";
      return make("tr", {class: kind}, make("td", {}, name + (kind ? " (label)" : "")),
        make("td", {class: "track"}, fill), make("td", {}, percent(share)));
    });
  }

  function neighbours(name, numbers) {
    if (!numbers.length) return [];
    const images = numbers.map(number => picture(number, `crop at another location labelled ${name}`));
    return [make("div", {}, make("h3", {}, `Most alike at other locations, labelled ${name}`),
      make("div", {class: "grid"}, ...images))];
  }

  // ---- the grid: only the rows in sight exist

  const drawn = new Map();  // row -> element
  let columns = 1;

  function drawGrid(anew) {
    const box = $("grid"), {scrollTop, clientHeight} = box;  // read before anything is written
    if (anew) {
      drawn.forEach(row => row.remove());
      drawn.clear();
      columns = Math.max(1, Math.floor(box.clientWidth / CARD.width));
      $("space").style.height = `${Math.ceil(shown.length / columns) * CARD.height}px`;
    }
    const first = Math.max(0, Math.floor(scrollTop / CARD.height) - 1);
    const end = Math.min(Math.ceil(shown.length / columns), Math.ceil((scrollTop + clientHeight) / CARD.height) + 1);
    for (const [row, element] of drawn) {
      if (row < first || row >= end) {
        element.remove();
        drawn.delete(row);
      }
    }
    for (let row = first; row < end; row++) {
      if (drawn.has(row)) continue;
      const element = make("div", {class: "row"}, ...shown.slice(row * columns, (row + 1) * columns).map(card));
      Object.assign(element.style, {top: `${row * CARD.height}px`, height: `${CARD.height}px`});
      drawn.set(row, element);
      $("space").append(element);
    }
  }

  function card(at) {
    const each = candidates[at], decision = decisions.get(at);
    const said = decision ? make("span", {class: "done"}, WORDS[decision.decision](decision))
      : make("span", {class: "note"}, `${percent(each.score)} likely wrong`);
    const button = make("button", {type: "button", class: "card"}, picture(each.crop, ""),
      make("span", {}, `${at + 1}. ${each.label}`), make("span", {}, `looks like ${each.predicted}`), said);
    button.style.width = `${100 / columns}%`;
    button.addEventListener("click", () => {
      view("one");
      go(at);
    });
    return button;
  }

  function view(name) {
    $("grid").hidden = name !== "grid";
    $("one").hidden = name !== "one";
    $("view-grid").setAttribute("aria-pressed", name === "grid");
    $("view-one").setAttribute("aria-pressed", name === "one");
    draw();
    if (name === "grid") $("grid").scrollTop = Math.floor(shown.indexOf(current) / columns) * CARD.height;
  }

  // ---- filters

  function fill(name) {
    const counts = new Map();
    for (const each of candidates) counts.set(each[name], (counts.get(each[name]) ?? 0) + 1);
    const names = [...counts.keys()].sort((a, b) => a.localeCompare(b, undefined, {numeric: true}));
    const options = names.map(each => make("option", {value: `=${each}`}, `${each} (${counts.get(each)})`));
    $("filters").elements[name].replaceChildren(make("option", {value: ""}, "all"), ...options);
  }

  const SHOWN = {all: () => true, open: at => !decisions.has(at), decided: at => decisions.has(at)};

  function filter() {
    const {score, show, ...lists} = Object.fromEntries(new FormData($("filters")));
    $("filters").querySelector("output").textContent = `${score}%`;
    shown = [...candidates.keys()].filter(at => candidates[at].score * 100 >= Number(score) && SHOWN[show](at) &&
      Object.entries(lists).every(([name, value]) => value === "" || value === `=${candidates[at][name]}`));
    tell("");
    if (!shown.includes(current)) current = firstOpen();
    draw();
  }

  // ---- the choice of a class

  let options = [];

  function classes(each) {
    const own = data.classes[each.dataset] ?? [];
    const known = new Set(own.map(([name]) => name));
    const labels = data.labels.filter(name => !known.has(name)).map(name => [name, "label of the classifier"]);
    return [...labels, ...own];
  }

  function choose() {
    if (!shown.length) return;
    options = classes(candidates[current]);
    $("wanted").value = "";
    $("choose").showModal();
    offer();
  }

  function offer() {
    const typed = $("wanted").value.trim(), wanted = typed.toLowerCase(), {predicted} = candidates[current];
    const rank = ([name, hint]) => {
      const [a, b] = [name.toLowerCase(), hint.toLowerCase()];
      if (!typed) return name === predicted ? 0 : 1;
      return a === wanted ? 0 : a.startsWith(wanted) ? 1 : b.startsWith(wanted) ? 2 : a.includes(wanted) ? 3 : b.includes(wanted) ? 4 : 5;
    };
    const found = options.map(each => [rank(each), each]).filter(([place]) => place < 5);
    found.sort(([a], [b]) => a - b);
    const listed = found.slice(0, MOST_OPTIONS).map(([, each]) => each);
    if (typed && !options.some(([name]) => name === typed)) listed.push([typed, "as typed; none of the known classes"]);
    listed.push(["", "none of these: wrong, I cannot tell what it is"]);
    $("options").replaceChildren(...listed.map(option));
    mark(0);
  }

  function option([name, hint], at) {
    const item = make("li", {role: "option", id: `option-${at}`}, name, make("small", {}, hint));
    item.dataset.name = name;
    item.addEventListener("click", () => pick(item));
    return item;
  }

  function mark(at) {
    const items = [...$("options").children];
    items.forEach((item, number) => item.setAttribute("aria-selected", number === at));
    $("wanted").setAttribute("aria-activedescendant", `option-${at}`);
    items[at]?.scrollIntoView({block: "nearest"});
  }

  function pick(item) {
    const {label} = candidates[current], {name} = item.dataset;
    $("choose").close();
    decide(name === "" ? "unknown" : name === label ? "right" : "wrong", name);
  }

  function typing(event) {
    const items = [...$("options").children];
    const at = items.findIndex(item => item.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") mark(Math.min(at + 1, items.length - 1));
    else if (event.key === "ArrowUp") mark(Math.max(at - 1, 0));
    else if (event.key === "Enter" && items[at]) pick(items[at]);
    else return;
    event.preventDefault();
  }

  // ---- the rest

  function tell(text) {
    $("message").textContent = text;
  }

  function ask() {
    $("name").value = recall(NAME) ?? "";
    $("ask").showModal();
  }

  const right = () => candidates.length && decide("right", candidates[current].label);
  const KEYS = {
    r: right, w: choose, u: () => decide("unknown", ""), s: () => next(false), ArrowRight: () => next(false),
    ArrowLeft: back, z: undo, n: () => $("reason").focus(), g: () => view($("grid").hidden ? "grid" : "one"),
    "?": () => $("keys").showModal(),
  };

  function pressed(event) {
    const isTyping = event.target.closest("input, select, textarea, dialog");
    const isArrow = event.key.startsWith("Arrow");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const does = KEYS[isArrow ? event.key : event.key.toLowerCase()];
    if (!does || (!$("grid").hidden && !["g", "?", "z"].includes(event.key.toLowerCase()))) return;
    event.preventDefault();
    does();
  }

  function begin() {
    $("about").textContent = data.about;
    ["label", "predicted", "dataset", "location"].forEach(fill);
    const shows = [["all", "all"], ["open", "not yet decided"], ["decided", "decided"]];
    $("filters").elements.show.replaceChildren(...shows.map(([value, text]) => make("option", {value}, text)));
    JSON.parse(recall(KEPT) ?? "[]").forEach(take);
    filter();
    go(firstOpen());
    if (!recall(NAME)) ask();
  }

  $("filters").addEventListener("input", filter);
  $("filters").addEventListener("reset", () => setTimeout(filter));
  $("filters").addEventListener("submit", event => event.preventDefault());
  $("view-one").addEventListener("click", () => view("one"));
  $("view-grid").addEventListener("click", () => view("grid"));
  $("grid").addEventListener("scroll", () => drawGrid(false), {passive: true});
  addEventListener("resize", () => $("grid").hidden || drawGrid(true));
  $("save").addEventListener("click", save);
  $("load").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    if ($("file").files.length) load($("file").files[0]).finally(() => $("file").value = "");
  });
  $("who").addEventListener("click", ask);
  $("ask").addEventListener("close", () => {
    if ($("name").value.trim()) remember(NAME, $("name").value.trim());
    draw();
  });
  const buttons = {right, wrong: choose, unknown: KEYS.u, skip: KEYS.s, back, undo, help: KEYS["?"]};
  for (const [id, does] of Object.entries(buttons)) $(id).addEventListener("click", does);
  $("reason").addEventListener("change", () => {
    const decision = decisions.get(current);
    if (!decision) return;
    decisions.set(current, {...decision, reason: $("reason").value.trim()});
    keep();
  });
  $("reason").addEventListener("keydown", event => event.key === "Enter" && $("reason").blur());
  $("wanted").addEventListener("input", offer);
  $("wanted").addEventListener("keydown", typing);
  document.addEventListener("keydown", pressed);
  addEventListener("beforeunload", event => {
    if (!isSaved && recall(KEPT) === null) event.preventDefault();
  });
  begin();
})();
