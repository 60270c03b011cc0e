"use strict";
// Filters the samples. Without this script all of them are shown.
const form = document.querySelector("#filter");
const found = document.querySelector("#found");
const prompts = [...document.querySelectorAll(".prompt")].map((article) => ({
  article,
  kind: article.dataset.kind,
  said: [...article.querySelectorAll("h3, blockquote")].map((part) => part.textContent).join("\n").toLowerCase(),
  answers: [...article.querySelectorAll(".answer")],
  columns: [...article.querySelectorAll(".answers > section")],
}));

function filter() {
  const words = form.elements.words.value.toLowerCase().split(" ").filter((word) => word);
  const kind = form.elements.kind.value;
  const seed = form.elements.seed.value;
  const variants = new Set([...form.querySelectorAll("input:checked")].map((box) => box.value));
  let shown = 0;
  for (const prompt of prompts) {
    const fits = (!kind || kind === prompt.kind) && words.every((word) => prompt.said.includes(word));
    prompt.article.hidden = !fits;
    shown += fits;
    for (const column of prompt.columns) column.hidden = !variants.has(column.dataset.variant);
    for (const answer of prompt.answers) answer.hidden = Boolean(seed) && answer.dataset.seed !== seed;
  }
  found.textContent = `${shown} of ${prompts.length} prompts`;
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
filter();
