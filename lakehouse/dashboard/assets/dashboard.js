// Fills a sheet: key figures, tables, and charts, which Vega draws by the specifications of the page.

const payload = JSON.parse(document.getElementById("payload").textContent);
const views = new Map();

const rowsOf = ({ columns, rows }) =>
  rows.map((row) => Object.fromEntries(columns.map((name, at) => [name, row[at]])));
const answers = Object.fromEntries(Object.entries(payload.answers).map(([name, answer]) => [name, rowsOf(answer)]));
for (const [name, visual] of Object.entries(payload.visuals)) visual.name = name;
const rowsFor = (visual) => answers[visual.name];

const element = (name, text, properties = {}) => Object.assign(document.createElement(name), { textContent: text ?? "" }, properties);

// --- what a click leads to ------------------------------------------------------------------------------------

// The same sheet narrowed to a value; where it is already, no longer.
const narrowed = ({ filter, as }, value) => {
  const words = new URLSearchParams(location.search);
  if (as === "value") {
    if (words.get(filter) === String(value)) words.delete(filter);
    else words.set(filter, value);
  } else {
    const [year, month] = value.split("-").map(Number);
    const last = as === "month" ? `${value}-${String(new Date(Date.UTC(year, month, 0)).getUTCDate()).padStart(2, "0")}` : value;
    const own = { [filter]: "own", from: as === "month" ? `${value}-01` : value, to: last };
    if (words.get("from") === own.from && words.get("to") === own.to) Object.keys(own).forEach((word) => words.delete(word));
    else Object.entries(own).forEach(([word, said]) => words.set(word, said));
  }
  return `${location.pathname}?${words}`;
};

const leads = (column, value) => {
  if (value === null || value === undefined) return null;
  if (column.narrows) return narrowed(column.narrows, value);
  return column.key_of ? `/record?${new URLSearchParams({ table: column.key_of, key: value })}` : null;
};

// --- values ---------------------------------------------------------------------------------------------------

const plain = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

const short = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en-US", { notation: "compact", minimumFractionDigits: 1, maximumFractionDigits: 1 });

const percent = new Intl.NumberFormat("en-GB", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: "exceptZero" });

const duration = (seconds) => {
  if (seconds < 10) return `${short.format(seconds)} s`;
  if (seconds < 120) return `${plain.format(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ${plain.format(seconds % 60)} s`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${plain.format(seconds / 86400)} days`;
};

const text = (value, column) => {
  if (value === null || value === undefined) return "–";
  if (column.kind === "timestamp") return value.slice(0, 19);
  if (typeof value !== "number" || column.unit === null) return String(value);
  if (column.unit === "seconds") return duration(value);
  return column.unit === "money" ? exact.format(value) : plain.format(value);
};

const combine = (values, column) => {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return null;
  if (column.combine === "max") return known.reduce((a, b) => (b > a ? b : a));
  return known.reduce((a, b) => a + b, 0);
};

// Rows of the same names become one, as the chart has it.
const grouped = (visual) => {
  const names = visual.columns.filter((column) => column.unit === null);
  const values = visual.columns.filter((column) => column.unit !== null);
  const groups = new Map();
  for (const row of rowsFor(visual)) {
    const key = JSON.stringify(names.map(({ name }) => row[name]));
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const found = [...groups.values()].map((rows) => ({
    ...rows[0],
    ...Object.fromEntries(values.map((column) => [column.name, combine(rows.map((row) => row[column.name]), column)])),
  }));
  if (visual.sort) {
    const way = visual.descending ? -1 : 1;
    found.sort((a, b) => (a[visual.sort] === b[visual.sort] ? 0 : a[visual.sort] > b[visual.sort] ? way : -way));
  }
  return visual.limit ? found.slice(0, visual.limit) : found;
};

// --- what is shown --------------------------------------------------------------------------------------------

// How much more or less than in as many days before, and which those are on hover.
const change = (visual, value, row, column) => {
  const [name, first, last, days] = visual.before;
  const before = row[name];
  const share = before ? (value - before) / Math.abs(before) : null;
  const said = share === null ? `nothing in the ${days} days before` : `${percent.format(share)} on the ${days} days before`;
  const title = `${text(before, column)} from ${first} to ${last}`;
  return element("span", said, { className: "change", title });
};

const showFigure = (visual, place) => {
  const [column] = visual.columns;
  const [row] = rowsFor(visual);
  const value = row ? row[column.name] : null;
  if (value === null) {
    // Zero would be a statement.
    place.replaceChildren(element("b", "–"), element("span", ` ${visual.nothing}`));
    return;
  }
  const whole = text(value, column);
  const isLong = typeof value === "number" && column.unit !== "seconds" && Math.abs(value) >= 1e6;
  const figure = element("b", isLong ? compact.format(value) : whole, { title: whole });
  if (isLong) figure.setAttribute("aria-label", whole);
  place.replaceChildren(figure, element("span", visual.currency && column.unit === "money" ? ` ${visual.currency}` : ""));
  if (visual.before) place.append(change(visual, value, row, column));
};

// What a program for tables would take for a formula stays a text.
const cell = (value) => {
  if (value === null || value === undefined) return "";
  const said = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(said) ? `"${said.replaceAll('"', '""')}"` : said;
};

const download = (name, visual) => {
  const lines = [visual.columns.map(({ name }) => cell(name)), ...grouped(visual).map((row) => visual.columns.map(({ name }) => cell(row[name])))];
  const address = URL.createObjectURL(new Blob([lines.map((line) => line.join(",")).join("\r\n")], { type: "text/csv" }));
  element("a", "", { href: address, download: `${name}.csv` }).click();
  URL.revokeObjectURL(address);
};

const showTable = (visual, place) => {
  const rows = grouped(visual);
  const table = element("table");
  const isNumber = (column) => column.kind === "integer" || column.kind === "decimal";
  const lies = (column) => (isNumber(column) ? "n" : column.kind === "timestamp" || column.kind === "date" ? "moment" : "");
  const head = element("tr");
  for (const column of visual.columns) {
    const currency = column.unit === "money" && visual.currency ? ` (${visual.currency})` : "";
    head.append(element("th", column.title + currency, { scope: "col", className: lies(column) }));
  }
  table.createTHead().append(head);
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const column of visual.columns) {
      const place = element("td", "", { className: lies(column) });
      const [said, address] = [text(row[column.name], column), leads(column, row[column.name])];
      place.append(address ? element("a", said, { href: address }) : said);
      line.append(place);
    }
  }
  // Where it is wider or longer than its place, the keyboard scrolls it too.
  Object.assign(place, { tabIndex: 0, role: "region", ariaLabel: `${visual.title} as a table` });
  place.replaceChildren(rows.length ? table : element("p", visual.nothing, { className: "empty" }));
};

// Names of a legend beside each other, as many as there is room for.
const LEGEND_NAME = 125;

const style = (horizontal, width) => {
  const read = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const quiet = { labelColor: read("quiet"), titleColor: read("quiet"), labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500 };
  const colours = Array.from({ length: 11 }, (_, at) => read(`series-${at + 1}`));
  return {
    background: null,
    font: getComputedStyle(document.body).fontFamily,
    view: { stroke: null },
    axis: { ...quiet, gridColor: read("line"), domainColor: read("line"), tickColor: read("line") },
    axisX: { grid: false },
    axisY: { labelLimit: innerWidth >= 600 ? 190 : 135 },
    legend: { ...quiet, symbolType: "circle", columns: Math.max(1, Math.floor((width - (horizontal ? 190 : 60)) / LEGEND_NAME)) },
    range: { category: colours },
    mark: { color: colours[0] },
  };
};

// What a mark stands for, beside the pointer and inside the window.
const tip = document.body.appendChild(element("div", "", { className: "tip", hidden: true }));
const tell = (_, event, __, value) => {
  tip.hidden = !value;
  if (!value) return;
  const list = element("dl");
  for (const [title, said] of Object.entries(value)) list.append(element("dt", title), element("dd", String(said)));
  tip.replaceChildren(list);
  const inside = (wished, size, all) => `${Math.max(8, Math.min(wished, all - size - 8))}px`;
  tip.style.left = inside(event.clientX + 14, tip.offsetWidth, document.documentElement.clientWidth);
  tip.style.top = inside(event.clientY + 14, tip.offsetHeight, innerHeight);
};

const showChart = async (name, visual, place) => {
  const rows = rowsFor(visual);
  const measured = visual.columns.filter(({ unit }) => unit !== null);
  if (rows.every((row) => measured.every((column) => !row[column.name]))) {
    views.get(name)?.finalize();
    views.delete(name);
    place.replaceChildren(element("p", rows.length ? "All are 0." : visual.nothing, { className: "empty" }));
    return;
  }
  const open = visual.spec.usermeta?.open_month;
  const drawn = open && [rows.some(({ month }) => month < open), rows.some(({ month }) => month >= open), true];
  const spec = {
    ...visual.spec,
    ...(open && { layer: visual.spec.layer.filter((_, at) => drawn[at]) }),
    height: visual.kind === "ranked_bar" ? (visual.spec.height / visual.limit) * rows.length : visual.spec.height,
    data: { name: visual.spec.data.name, values: rows },
  };
  // The interpreter needs no eval, which the page's policy forbids.
  const made = await vegaEmbed(place, spec, {
    actions: false,
    ast: true,
    config: style(spec.encoding.y.type === "ordinal", place.clientWidth),
    defaultStyle: false,
    mode: "vega-lite",
    renderer: "svg",
    tooltip: tell,
  });
  views.get(name)?.finalize();
  views.set(name, made);
  const clickable = visual.columns.filter(({ narrows }) => narrows);
  if (clickable.length === 0) return;
  place.classList.add("narrows");
  // A part of a bar narrows to what it is of, and else to where it stands.
  made.view.addEventListener("click", (_, mark) => {
    const column = clickable.toReversed().find(({ name }) => mark?.datum?.[name] !== undefined);
    if (column) location.assign(leads(column, mark.datum[column.name]));
  });
};

const show = async () => {
  const shown = Object.entries(payload.visuals).filter(([, visual]) => !payload.answers[visual.name].error);
  for (const [name, visual] of shown) {
    const figure = document.getElementById(name);
    const place = figure.querySelector(".shown");
    if (visual.kind === "key_figure") showFigure(visual, place);
    else if (visual.kind === "table") showTable(visual, place);
    else {
      await showChart(name, visual, place);
      showTable(visual, figure.querySelector(".data"));
    }
  }
  document.body.dataset.shown = payload.currency ?? "all";
};

// --- filters --------------------------------------------------------------------------------------------------

// A choice is in force at once, and whoever made it goes on where the choice was made.
const CHOSEN = "chosen";
for (const control of document.querySelectorAll("form.filters select, form.filters input"))
  control.addEventListener("change", () => {
    if (!control.value && control.type === "date") return;
    const range = document.getElementById(control.dataset.range);
    if (range) range.value = control.dataset.own;
    sessionStorage.setItem(CHOSEN, control.id);
    // Dates are typed part by part: a year is whole when the field is left.
    if (control.type !== "date") control.form.requestSubmit();
  });
for (const day of document.querySelectorAll("form.filters input"))
  day.addEventListener("blur", () => day.value && day.value !== day.defaultValue && day.form.requestSubmit());
const last = document.getElementById(sessionStorage.getItem(CHOSEN));
sessionStorage.removeItem(CHOSEN);
last?.focus();

for (const button of document.querySelectorAll("button[data-rows]"))
  button.addEventListener("click", () => download(button.dataset.rows, payload.visuals[button.dataset.rows]));
for (const button of document.querySelectorAll("button[data-picture]"))
  button.addEventListener("click", async () => {
    const name = button.dataset.picture;
    const view = views.get(name)?.view;
    if (!view) return;
    const paper = getComputedStyle(document.documentElement).getPropertyValue("--card").trim();
    const picture = await view.background(paper).toImageURL("png", 2);
    element("a", "", { href: picture, download: `${name}.png` }).click();
  });
await show();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => void show());
