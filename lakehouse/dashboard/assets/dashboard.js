// Fills a sheet: filters, key figures, tables, and charts, which Vega draws by the specifications of the page.

const payload = JSON.parse(document.getElementById("payload").textContent);
const chosen = new Map();
const views = new Map();

const rowsOf = (query) => {
  const { columns, rows } = payload.queries[query];
  return rows.map((row) => Object.fromEntries(columns.map((name, at) => [name, row[at]])));
};
const tables = Object.fromEntries(Object.keys(payload.queries).map((name) => [name, rowsOf(name)]));

const kept = (visual) =>
  tables[visual.query].filter((row) =>
    payload.filters.every(
      ({ name, field }) => !visual.filters.includes(name) || chosen.get(name) === null || row[field] === chosen.get(name),
    ),
  );

const element = (name, text, properties = {}) => Object.assign(document.createElement(name), { textContent: text ?? "" }, properties);

// --- values ---------------------------------------------------------------------------------------------------

const plain = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

const short = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en-GB", { notation: "compact", minimumFractionDigits: 1, maximumFractionDigits: 1 });

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
  if (known.length === 0) return column.combine === "sum" && column.kind !== "timestamp" ? 0 : null;
  if (column.combine === "max") return known.reduce((a, b) => (b > a ? b : a));
  return known.reduce((a, b) => a + b, 0);
};

// Rows of the same names become one, as the chart has it.
const grouped = (visual) => {
  const names = visual.columns.filter((column) => column.unit === null);
  const values = visual.columns.filter((column) => column.unit !== null);
  const groups = new Map();
  for (const row of kept(visual)) {
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

const showFigure = (visual, place) => {
  const [column] = visual.columns;
  const value = combine(kept(visual).map((row) => row[column.name]), column);
  const currency = column.unit === "money" && chosen.get("currency");
  if (tables[visual.query].length === 0) {
    // Zero would be a statement.
    place.replaceChildren(element("b", "–"), element("span", " Nothing is here yet: lakehouse run"));
    return;
  }
  const whole = text(value, column);
  const isLong = typeof value === "number" && column.unit !== "seconds" && Math.abs(value) >= 1e6;
  const figure = element("b", isLong ? compact.format(value) : whole, { title: whole });
  if (isLong) figure.setAttribute("aria-label", whole);
  place.replaceChildren(figure, element("span", currency ? ` ${currency}` : ""));
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
    const currency = column.unit === "money" && chosen.get("currency") ? ` (${chosen.get("currency")})` : "";
    head.append(element("th", column.title + currency, { scope: "col", className: lies(column) }));
  }
  table.createTHead().append(head);
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const column of visual.columns)
      line.append(element("td", text(row[column.name], column), { className: lies(column) }));
  }
  // Where it is wider or longer than its place, the keyboard scrolls it too.
  Object.assign(place, { tabIndex: 0, role: "region", ariaLabel: `${visual.title} as a table` });
  place.replaceChildren(rows.length ? table : element("p", "Nothing to show.", { className: "empty" }));
};

const style = (horizontal) => {
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
    legend: { ...quiet, symbolType: "circle", columns: innerWidth >= 600 ? 4 : horizontal ? 1 : 2 },
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
  const rows = kept(visual);
  const measured = visual.columns.filter(({ unit }) => unit !== null);
  if (rows.every((row) => measured.every((column) => !row[column.name]))) {
    views.get(name)?.finalize();
    views.delete(name);
    place.replaceChildren(element("p", rows.length ? "All are 0." : "Nothing to show.", { className: "empty" }));
    return;
  }
  const currency = chosen.get("currency") ?? "chosen currency";
  const open = visual.spec.usermeta?.open_month;
  const drawn = open && [rows.some(({ month }) => month < open), rows.some(({ month }) => month >= open)];
  const spec = {
    ...visual.spec,
    ...(open && { layer: visual.spec.layer.filter((_, at) => drawn[at]) }),
    height: visual.kind === "ranked_bar" ? (visual.spec.height / visual.limit) * grouped(visual).length : visual.spec.height,
    encoding: JSON.parse(JSON.stringify(visual.spec.encoding).replaceAll("(chosen currency)", `(${currency})`)),
    data: { name: visual.spec.data.name, values: tables[visual.query] },
    params: visual.spec.params.map((one) => {
      const filter = payload.filters.find(({ parameter }) => parameter === one.name);
      return filter ? { ...one, value: chosen.get(filter.name) } : one;
    }),
  };
  // The interpreter needs no eval, which the page's policy forbids.
  const made = await vegaEmbed(place, spec, {
    actions: false,
    ast: true,
    config: style(spec.encoding.y.type === "ordinal"),
    defaultStyle: false,
    mode: "vega-lite",
    renderer: "svg",
    tooltip: tell,
  });
  views.get(name)?.finalize();
  views.set(name, made);
};

const show = async () => {
  const shown = Object.entries(payload.visuals).filter(([, visual]) => !payload.queries[visual.query].error);
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
  document.body.dataset.shown = [...chosen.values()].map((value) => value ?? "all").join(" ");
};

// --- filters --------------------------------------------------------------------------------------------------

// A choice stays in the address, so that a reload and the other sheets keep it.
const remember = () => {
  const words = new URLSearchParams(location.search);
  for (const [name, value] of chosen) value === null ? words.delete(name) : words.set(name, value);
  history.replaceState(null, "", words.size ? `?${words}` : location.pathname);
  keepInLinks();
};
const keepInLinks = () => {
  for (const link of document.querySelectorAll("nav.sheets a")) link.search = location.search;
};

const offer = ({ name, field, all, default: usual }) => {
  const having = Object.values(tables).filter((rows) => rows.length && field in rows[0]);
  const values = [...new Set(having.flatMap((rows) => rows.map((row) => row[field])))].filter((value) => value !== null).sort();
  const wished = new URLSearchParams(location.search).get(name);
  if (wished !== null && !values.includes(wished)) {
    const place = document.querySelector(".visuals");
    const said = `There is no data for ${name} ${wished}, which the address asks for.`;
    place.before(element("p", said, { className: "notice", role: "status" }));
  }
  const first = values.includes(wished) ? wished : all ? null : values.includes(usual) ? usual : (values[0] ?? usual);
  chosen.set(name, first);
  const select = document.getElementById(`filter-${name}`);
  select.replaceChildren(
    ...(all ? [element("option", "All", { value: "" })] : []),
    ...values.map((value) => element("option", value, { value, selected: value === first })),
  );
  select.addEventListener("change", () => {
    chosen.set(name, select.value === "" ? null : select.value);
    remember();
    void show();
  });
};

payload.filters.forEach(offer);
for (const button of document.querySelectorAll("button[data-visual]"))
  button.addEventListener("click", () => download(button.dataset.visual, payload.visuals[button.dataset.visual]));
keepInLinks();
await show();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => void show());
