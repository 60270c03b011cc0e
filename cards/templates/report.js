"use strict";
// Filters the samples. Without this script all of them are shown.
const form = document.querySelector("#filter");
const found = document.querySelector("#found");
const lower = (parts) => parts.map((part) => part.textContent).join("\n").toLowerCase();
const prompts = [...document.querySelectorAll(".prompt")].map((article) => ({
  article,
  kind: article.dataset.kind,
  asked: lower([...article.querySelectorAll(".asked")]),
  answers: [...article.querySelectorAll(".answer")].map((answer) => ({
    answer,
    seed: answer.dataset.seed,
    variant: answer.parentElement.dataset.variant,
    said: lower([answer.querySelector("blockquote")]),
  })),
  columns: [...article.querySelectorAll(".answers > section")],
}));

function filter() {
  const words = form.elements.words.value.toLowerCase().split(" ").filter((word) => word);
  const kind = form.elements.kind.value;
  const seed = form.elements.seed.value;
  const variants = new Set([...form.querySelectorAll("input:checked")].map((box) => box.value));
  let shown = 0;
  for (const prompt of prompts) {
    const visible = prompt.answers.filter((one) => variants.has(one.variant) && (!seed || one.seed === seed));
    const read = [prompt.asked, ...visible.map((one) => one.said)].join("\n");
    const fits = visible.length > 0 && (!kind || kind === prompt.kind) && words.every((word) => read.includes(word));
    prompt.article.hidden = !fits;
    shown += fits;
    for (const column of prompt.columns) column.hidden = !variants.has(column.dataset.variant);
    for (const one of prompt.answers) one.answer.hidden = !visible.includes(one);
  }
  found.textContent = `${shown} of ${prompts.length} prompts` + (variants.size ? "" : "; tick a variant");
}

form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
filter();
