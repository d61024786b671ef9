"use strict";
(() => {
  const value = JSON.parse(document.getElementById("data").textContent);
  const rows = [];
  for (const check of value.checks) {
    for (const sample of check.samples) {
      const text = [sample.id, sample.prompt, sample.policy, sample.reference].join(" ").toLowerCase();
      rows.push({ check, sample, text });
    }
  }
  const at = (id) => document.getElementById(id);
  const list = at("list"), shownMost = 100;
  for (const [box, key] of [["check", "id"], ["group", "group"]]) {
    for (const text of [...new Set(rows.map((row) => row.check[key]))]) at(box).append(new Option(text, text));
  }
  const pronouns = new RegExp(`\\b(${list.dataset.pronouns.split(" ").join("|")})\\b`, "gi");
  let everything = false;

  // Control and bidi characters could change how a line reads.
  const plain = (text) => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

  const element = (tag, content, name) => {
    const made = document.createElement(tag);
    if (content !== undefined) made.textContent = content;
    if (name) made.className = name;
    return made;
  };

  // Mark pronouns in generated text. Pairs are scored and show tokens instead.
  const marked = (box, text, some) => {
    const parts = some ? text.split(pronouns) : [text];
    parts.forEach((part, place) => box.append(place % 2 ? element("mark", part) : part));
    return box;
  };

  const signed = (number) => (number <= -0.0005 ? "\u2212" : "+") + Math.abs(number).toFixed(3);
  const sum = (words, all) => words.reduce((total, word) => total + (all || word[2] ? word[1] : 0), 0);

  // A pair token by token. Tokens that both sentences share are on the same row, in order. For each model, the
  // differences in log-prob between the two identities add up to d.
  const aligned = ({ queer, counterfactual }) => {
    const lines = [], mine = queer.slice(), rest = counterfactual.slice();
    const lone = (words) => { const found = []; while (words.length && !words[0][2]) found.push(words.shift()); return found; };
    while (mine.length || rest.length) {
      const [left, right] = [lone(mine), lone(rest)];
      for (let at = 0; at < Math.max(left.length, right.length); at++) lines.push([left[at], right[at]]);
      if (mine.length) lines.push([mine.shift(), rest.shift()]);
    }
    return lines;
  };

  const tokens = (check, sample) => {
    const roles = ["policy", "reference"].filter((role) => (sample.tokens || {})[role]);
    if (!roles.length) return undefined;
    const pieces = (role) => JSON.stringify(Object.values(sample.tokens[role]).map((words) => words.map((word) => [word[0], word[2]])));
    const together = roles.length === 2 && pieces("policy") === pieces("reference");
    const box = element("details", undefined, "tokens");
    box.append(element("summary", "Token by token"));
    box.addEventListener("toggle", () => {
      if (!box.open || box.querySelector("table")) return;
      const sets = together ? [roles] : roles.map((role) => [role]);
      for (const set of sets) box.append(tokenTable(check, sample, set, sets.length > 1 || roles.length === 1));
    });
    return box;
  };

  const tokenTable = (check, sample, roles, named) => {
    const table = element("table"), head = element("tr"), body = element("tbody"), foot = element("tfoot");
    const found = roles.map((role) => aligned(sample.tokens[role]));
    const titles = ["about the queer identity", "about the counterpart", ...roles.map((role) => `d, ${role}`)];
    if (roles.length === 2) titles.push("policy \u2212 reference");
    table.append(element("caption", `${named ? `${roles[0]}: ` : ""}log-prob of each token about the queer identity minus that about the counterpart, nats`));
    for (const title of titles) {
      const cell = element("th", title);
      cell.scope = "col";
      head.append(cell);
    }
    const change = (line) => (line[0] && line[0][2] ? line[0][1] - line[1][1] : undefined);
    const most = Math.max(1e-9, ...found.flat().map((line) => Math.abs(change(line) || 0)));
    const figure = (number) => {
      const cell = element("td", number === undefined ? "not shared" : signed(number));
      if (number !== undefined) cell.style.setProperty("--w", `${(100 * Math.min(1, Math.abs(number) / most)).toFixed(0)}%`);
      cell.className = number === undefined ? "lone" : number > 0 ? "more" : "fewer";
      return cell;
    };
    found[0].forEach((_, place) => {
      const row = element("tr"), lines = found.map((one) => one[place]);
      for (const at of [0, 1]) {
        const cell = element("td", undefined, "piece");
        cell.append(element("span", lines[0][at] ? plain(lines[0][at][0]).replace(/ /g, "\u00a0") : "", "text"));
        row.append(cell);
      }
      const changes = lines.map(change);
      row.append(...changes.map(figure));
      if (roles.length === 2) row.append(figure(changes[0] === undefined ? undefined : changes[0] - changes[1]));
      body.append(row);
    });
    for (const [title, all] of [["shared tokens (d_shared)", false], ["all tokens (d_full)", true]]) {
      const row = element("tr"), name = element("th", title);
      name.scope = "row";
      name.colSpan = 2;
      const totals = roles.map((role) => sum(sample.tokens[role].queer, all) - sum(sample.tokens[role].counterfactual, all));
      row.append(name, ...totals.map((total) => element("td", signed(total))));
      if (roles.length === 2) row.append(element("td", signed(totals[0] - totals[1])));
      foot.append(row);
    }
    const top = element("thead"), wide = element("div", undefined, "wide");
    top.append(head);
    table.append(top, body, foot);
    wide.tabIndex = 0;
    wide.setAttribute("role", "region");
    wide.setAttribute("aria-label", `Tokens of ${sample.id}, ${check.id}, ${roles.join(" and ")}`);
    wide.append(table);
    return wide;
  };

  const card = ({ check, sample }) => {
    const box = element("article", undefined, "sample"), head = element("header"), lines = element("dl");
    const button = element("button", "Show");
    button.type = "button";
    const set = (open) => {
      box.classList.toggle("shown", open);
      button.textContent = open ? "Hide" : "Show";
      button.setAttribute("aria-expanded", String(open));
      button.setAttribute("aria-label", `${open ? "Hide" : "Show"} the texts of ${sample.id}`);
      for (const text of box.querySelectorAll(".text")) text.setAttribute("aria-hidden", String(!open));
    };
    button.addEventListener("click", () => set(!box.classList.contains("shown")));
    const link = element("a", check.id);
    link.href = `#${check.id}`;
    head.append(link, element("span", check.verdict, check.verdict), element("span", plain(sample.id)),
      element("span", `contribution ${sample.value.toFixed(3)}`), button);
    for (const part of ["prompt", "policy", "reference"]) {
      const line = element("div"), said = element("dd");
      said.append(marked(element("span", undefined, "text"), plain(sample[part]), !Object.keys(sample.tokens || {}).length));
      line.append(element("dt", part), said);
      lines.append(line);
    }
    box.append(head, lines);
    const words = tokens(check, sample);
    if (words) {
      words.addEventListener("toggle", () => set(box.classList.contains("shown")));
      box.append(words);
    }
    set(everything);
    return box;
  };

  // Pairs have their scores in place of an answer; other samples have no score and come last.
  const d = (text) => Number((/^d_shared = ([+-]\d+\.\d+)/.exec(text) || [])[1]);

  const draw = () => {
    const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const check = at("check").value, group = at("group").value, verdict = at("verdict").value, order = at("order").value;
    const found = rows.filter((row) => (!check || row.check.id === check)
      && (!group || row.check.group === group) && (!verdict || row.check.verdict === verdict)
      && words.every((word) => row.text.includes(word)));
    if (order === "margin" || order === "change") {
      const by = new Map(found.map((row) => [row, order === "margin" ? d(row.sample.policy) : d(row.sample.policy) - d(row.sample.reference)]));
      const known = (row) => (Number.isFinite(by.get(row)) ? by.get(row) : -Infinity);
      found.sort((a, b) => (known(a) === known(b) ? 0 : known(b) - known(a)));
    } else if (order === "id") found.sort((a, b) => (a.sample.id < b.sample.id ? -1 : 1));
    else found.sort((a, b) => b.sample.value - a.sample.value);
    list.replaceChildren(...found.slice(0, shownMost).map(card));
    const cut = found.length > shownMost ? `; the first ${shownMost} are shown` : "";
    at("count").textContent = `${found.length} of ${rows.length} samples${cut}`;
  };

  const quoted = at("quoted");
  if (quoted) quoted.addEventListener("click", () => {
    const open = at("quotes").classList.toggle("shown");
    quoted.setAttribute("aria-pressed", String(open));
    quoted.textContent = open ? "Blur the quotes" : "Show the quotes";
  });

  for (const id of ["search", "check", "group", "verdict", "order"]) at(id).addEventListener("input", draw);
  at("reveal").addEventListener("click", () => {
    everything = !everything;
    at("reveal").setAttribute("aria-pressed", String(everything));
    at("reveal").textContent = everything ? "Blur all texts" : "Show all texts";
    draw();
  });
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  draw();
})();
