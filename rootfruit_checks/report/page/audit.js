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

  // Control and bidi characters could make a line read other than it is.
  const plain = (text) => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

  const element = (tag, content, name) => {
    const made = document.createElement(tag);
    if (content !== undefined) made.textContent = content;
    if (name) made.className = name;
    return made;
  };

  // Pronouns are what the judge of misgendering read.
  const marked = (box, text, some) => {
    const parts = some ? text.split(pronouns) : [text];
    parts.forEach((part, place) => box.append(place % 2 ? element("mark", part) : part));
    return box;
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
      said.append(marked(element("span", undefined, "text"), plain(sample[part]), check.benchmark !== "winoqueer"));
      line.append(element("dt", part), said);
      lines.append(line);
    }
    box.append(head, lines);
    set(everything);
    return box;
  };

  const draw = () => {
    const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const check = at("check").value, group = at("group").value, verdict = at("verdict").value, order = at("order").value;
    const found = rows.filter((row) => (!check || row.check.id === check)
      && (!group || row.check.group === group) && (!verdict || row.check.verdict === verdict)
      && words.every((word) => row.text.includes(word)));
    if (order === "id") found.sort((a, b) => (a.sample.id < b.sample.id ? -1 : 1));
    else found.sort((a, b) => b.sample.value - a.sample.value);
    list.replaceChildren(...found.slice(0, shownMost).map(card));
    const cut = found.length > shownMost ? `; the first ${shownMost} are shown` : "";
    at("count").textContent = `${found.length} of ${rows.length} samples${cut}`;
  };

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
