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
  for (const id of [...new Set(rows.map((row) => row.check.id))]) {
    at("check").append(new Option(id, id));
  }
  let everything = false;

  // Control and bidi characters could make a line read other than it is.
  const plain = (text) => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

  const element = (tag, content, name) => {
    const made = document.createElement(tag);
    if (content !== undefined) made.textContent = content;
    if (name) made.className = name;
    return made;
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
      said.append(element("span", plain(sample[part]), "text"));
      line.append(element("dt", part), said);
      lines.append(line);
    }
    box.append(head, lines);
    set(everything);
    return box;
  };

  const draw = () => {
    const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const check = at("check").value, verdict = at("verdict").value, order = at("order").value;
    const found = rows.filter((row) => (!check || row.check.id === check) && (!verdict || row.check.verdict === verdict)
      && words.every((word) => row.text.includes(word)));
    if (order === "id") found.sort((a, b) => (a.sample.id < b.sample.id ? -1 : 1));
    else found.sort((a, b) => b.sample.value - a.sample.value);
    list.replaceChildren(...found.slice(0, shownMost).map(card));
    const cut = found.length > shownMost ? `; the first ${shownMost} are shown` : "";
    at("count").textContent = `${found.length} of ${rows.length} samples${cut}`;
  };

  for (const id of ["search", "check", "verdict", "order"]) at(id).addEventListener("input", draw);
  at("reveal").addEventListener("click", () => {
    everything = !everything;
    at("reveal").setAttribute("aria-pressed", String(everything));
    at("reveal").textContent = everything ? "Blur all texts" : "Show all texts";
    draw();
  });
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  draw();
})();
