(function () {
  "use strict";
  var body = document.body, key = "sinara:" + location.pathname;
  var data = document.getElementById("live").dataset;
  var running = data.status === "running";
  var open = {};
  try { open = JSON.parse(sessionStorage.getItem(key)) || {}; } catch (error) { open = {}; }
  var details = Array.prototype.slice.call(document.querySelectorAll("details"));
  details.forEach(function (one, number) {
    if (open.details && number in open.details) { one.open = open.details[number]; }
  });
  if (open.y) { scrollTo(0, open.y); }
  var graph = document.querySelector(".graph");
  if (graph && open.x) { graph.scrollLeft = open.x; }
  if (!running) { sessionStorage.removeItem(key); return; }
  var quiet = Date.now() / 1000 - Number(data.written);
  if (quiet > 60) {
    document.getElementById("quiet").textContent =
      "This page was not written for " + Math.round(quiet / 60) + " min: the run may be dead. See: sinara run show " + data.run;
  }
  setTimeout(function () {
    var state = { y: scrollY, x: graph ? graph.scrollLeft : 0, details: {} };
    details.forEach(function (one, number) { state.details[number] = one.open; });
    try { sessionStorage.setItem(key, JSON.stringify(state)); } catch (error) { /* then it jumps */ }
    if (String(getSelection()) === "") { location.reload(); } else { setTimeout(function () { location.reload(); }, 10000); }
  }, quiet > 60 ? 30000 : 2000);
  body.classList.add("is-live");
})();
