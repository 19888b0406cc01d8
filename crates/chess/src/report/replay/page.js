// Turns the long page into one to step through. Without this script nothing is hidden.
(function () {
  "use strict";
  var steps = Array.prototype.slice.call(document.querySelectorAll(".step"));
  var bar = document.querySelector(".bar");
  if (steps.length < 2) return;
  var current = 0;

  function button(text, label, action) {
    var made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", action);
    bar.appendChild(made);
    return made;
  }

  var back = button("←", "Previous step", function () { show(current - 1); });
  var on = button("→", "Next step", function () { show(current + 1); });
  var ticks = document.createElement("div");
  ticks.className = "ticks";
  bar.appendChild(ticks);
  steps.forEach(function (step, idx) {
    var tick = document.createElement("button");
    tick.type = "button";
    tick.className = "tick";
    tick.title = step.querySelector("h2").textContent + (step.dataset.level ? " · " + step.dataset.level : "");
    tick.setAttribute("aria-label", tick.title);
    if (step.dataset.level) tick.dataset.level = step.dataset.level;
    tick.addEventListener("click", function () { show(idx); });
    ticks.appendChild(tick);
  });
  var where = document.createElement("span");
  where.className = "where";
  where.setAttribute("aria-live", "polite");
  bar.appendChild(where);
  var all = button("Show all", "Show all steps as one page", function () {
    var stepping = document.body.classList.toggle("stepping");
    all.textContent = stepping ? "Show all" : "Step through";
    if (!stepping) steps[current].scrollIntoView();
  });

  function show(idx) {
    current = Math.max(0, Math.min(steps.length - 1, idx));
    steps.forEach(function (step, at) { step.classList.toggle("current", at === current); });
    Array.prototype.forEach.call(ticks.children, function (tick, at) {
      if (at === current) tick.setAttribute("aria-current", "step");
      else tick.removeAttribute("aria-current");
    });
    back.disabled = current === 0;
    on.disabled = current === steps.length - 1;
    where.textContent = steps[current].querySelector("h2").textContent.replace("Before the first step", "Start") +
      " of " + steps[steps.length - 1].id.replace("step-", "");
  }

  // A link to an event may point into a step or a folded list that is hidden.
  function reveal() {
    var target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    var step = target.closest(".step");
    if (step) show(steps.indexOf(step));
    for (var folded = target.closest("details"); folded; folded = folded.parentElement.closest("details")) folded.open = true;
    target.scrollIntoView({ block: "center" });
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    var to = { ArrowLeft: current - 1, ArrowRight: current + 1, j: current + 1, k: current - 1, Home: 0, End: steps.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
  window.addEventListener("hashchange", reveal);
  bar.hidden = false;
  document.body.classList.add("stepping");
  // Start where there is something to see.
  var first = steps.findIndex(function (step) { return step.id !== "step-0"; });
  show(first < 0 ? 0 : first);
  reveal();
})();
