(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("data").textContent);
  var root = document.documentElement, svg = document.querySelector("main svg");
  var view = document.getElementById("view"), panel = document.querySelector("aside");
  var search = document.getElementById("search"), count = document.getElementById("count");
  var levels = Array.prototype.slice.call(document.querySelectorAll(".level"));
  var level = 0, x = 0, y = 0, scale = 1, picked = -1, hits = [], hit = -1;

  data.levels[0].lines = data.edges;
  root.classList.add("live");
  var full = levels.map(function (each) {
    each.removeAttribute("hidden");
    var box = each.getBBox();
    return box;
  });
  svg.removeAttribute("viewBox");
  svg.removeAttribute("width");
  svg.removeAttribute("height");

  // What is drawn for each node, by level, and the edges of each level as pairs of nodes.
  var drawn = levels.map(function (each, number) {
    var found = {};
    ["cards", "boxes"].forEach(function (group) {
      var parts = each.querySelector("." + group).children;
      data.levels[number][group].forEach(function (node, place) { found[node] = parts[place]; });
    });
    return found;
  });
  var paths = levels.map(function (each) { return each.querySelector(".lines").children; });

  function move() {
    view.setAttribute("transform", "translate(" + x + " " + y + ") scale(" + scale + ")");
    view.classList.toggle("far", scale < 0.3);
  }
  function fit() {
    var box = full[level], width = svg.clientWidth, height = svg.clientHeight;
    scale = Math.min(1.4, (width - 40) / box.width, (height - 40) / box.height);
    x = (width - box.width * scale) / 2 - box.x * scale;
    y = (height - box.height * scale) / 2 - box.y * scale;
    move();
  }
  function zoom(by, atX, atY) {
    var to = Math.max(0.01, Math.min(4, scale * by));
    x = atX - (atX - x) * to / scale;
    y = atY - (atY - y) * to / scale;
    scale = to;
    move();
  }
  function middle(by) { zoom(by, svg.clientWidth / 2, svg.clientHeight / 2); }
  function show(number) {
    level = number;
    levels.forEach(function (each, place) {
      if (place === number) each.removeAttribute("hidden"); else each.setAttribute("hidden", "");
    });
    document.getElementById("level").setAttribute("aria-pressed", String(number === 1));
    pick(-1);
    fit();
  }

  // -- panning and zooming
  var pointers = {}, start = null, moved = false;
  svg.addEventListener("pointerdown", function (event) {
    pointers[event.pointerId] = [event.clientX, event.clientY];
    start = [event.clientX, event.clientY];
    moved = false;
  });
  svg.addEventListener("pointermove", function (event) {
    var last = pointers[event.pointerId];
    if (!last) return;
    var ids = Object.keys(pointers);
    if (ids.length === 2) {
      var other = pointers[ids[0] === String(event.pointerId) ? ids[1] : ids[0]];
      var before = Math.hypot(last[0] - other[0], last[1] - other[1]);
      var after = Math.hypot(event.clientX - other[0], event.clientY - other[1]);
      var area = svg.getBoundingClientRect();
      if (before) zoom(after / before, other[0] - area.left, other[1] - area.top);
    } else {
      x += event.clientX - last[0];
      y += event.clientY - last[1];
      if (!moved && Math.hypot(event.clientX - start[0], event.clientY - start[1]) > 4) {
        moved = true;
        svg.classList.add("moving");
        svg.setPointerCapture(event.pointerId);
      }
      move();
    }
    pointers[event.pointerId] = [event.clientX, event.clientY];
  });
  ["pointerup", "pointercancel"].forEach(function (name) {
    svg.addEventListener(name, function (event) {
      delete pointers[event.pointerId];
      svg.classList.remove("moving");
    });
  });
  svg.addEventListener("wheel", function (event) {
    event.preventDefault();
    var area = svg.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)),
      event.clientX - area.left, event.clientY - area.top);
  }, { passive: false });
  svg.addEventListener("click", function (event) {
    if (moved) return;
    var part = event.target.closest(".boxes > g, .cards > g");
    var group = part && part.parentNode.getAttribute("class");
    pick(part ? data.levels[level][group][Array.prototype.indexOf.call(part.parentNode.children, part)] : -1);
  });

  // -- one node, and what it is connected to
  function near(node, from, to) {
    return data.edges.filter(function (edge) { return edge[from] === node; })
      .map(function (edge) { return [edge[to], edge]; });
  }
  function reach(node, from, to, seen) {
    var pending = [node];
    while (pending.length) {
      var at = pending.pop();
      data.levels[level].lines.forEach(function (line, place) {
        if (line[from] === at && !seen.lines[place]) {
          seen.lines[place] = true;
          if (!seen.nodes[line[to]]) { seen.nodes[line[to]] = true; pending.push(line[to]); }
        }
      });
    }
  }
  function pick(node) {
    document.querySelectorAll(".on, .me").forEach(function (each) { each.classList.remove("on", "me"); });
    picked = node >= 0 && drawn[level][node] ? node : -1;
    view.classList.toggle("picked", picked >= 0);
    panel.classList.toggle("open", picked >= 0);
    if (picked < 0) return;
    var info = data.nodes[picked], seen = { nodes: {}, lines: {} };
    var starts = info.k === "step" && level === 0
      ? data.nodes.map(function (each, place) { return each.s === picked ? place : -1; }) : [picked];
    starts.concat(picked).forEach(function (each) {
      if (each < 0) return;
      seen.nodes[each] = true;
      reach(each, 0, 1, seen);
      reach(each, 1, 0, seen);
    });
    Object.keys(seen.nodes).forEach(function (each) {
      if (drawn[level][each]) drawn[level][each].classList.add("on");
      var home = data.nodes[each].s;
      if (home !== undefined && drawn[level][home]) drawn[level][home].classList.add("on");
    });
    Object.keys(seen.lines).forEach(function (place) { paths[level][place].classList.add("on"); });
    drawn[level][picked].classList.add("me");
    tell(picked, info);
  }
  function into(node) {
    if (!drawn[level][node]) show(1 - level);
    var box = full[level], part = drawn[level][node];
    if (!part) return;
    var at = part.transform.baseVal.consolidate().matrix, size = part.getBBox();
    scale = Math.max(scale, 0.7);
    x = svg.clientWidth / 2 - (at.e + size.width / 2) * scale;
    y = svg.clientHeight / 2 - (at.f + size.height / 2) * scale;
    move();
    pick(node);
  }

  // -- the panel: text only, never markup
  var kinds = { entity: "entity", tmp: "temporary entity", custom: "path outside the store" };
  function about(info) {
    if (info.k === "step") return ["step " + info.i, info.f];
    var home = info.s === undefined ? null : data.nodes[info.s];
    if (info.k === "substep") return ["substep of " + home.n];
    return [kinds[info.k], info.f === undefined ? home.i + "." + info.n : info.f];
  }
  function add(parent, tag, text, name) {
    var made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    parent.appendChild(made);
    return made;
  }
  function table(title, rows) {
    if (!rows.length) return;
    add(panel, "h3", title);
    var body = add(panel, "table");
    rows.forEach(function (row) {
      var line = add(body, "tr");
      row.forEach(function (cell) {
        if (cell && cell.go !== undefined) {
          var button = add(add(line, "td"), "button", cell.text, "go");
          button.addEventListener("click", function () { into(cell.go); });
        } else add(line, "td", cell);
      });
    });
  }
  function flows(pairs) {
    return pairs.map(function (pair) {
      return [{ go: pair[0], text: data.nodes[pair[0]].n }, pair[1][2] ? data.flows[pair[1][2]] : ""];
    });
  }
  function tell(node, info) {
    panel.textContent = "";
    var close = add(panel, "button", "×");
    close.id = "close";
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", function () { pick(-1); });
    add(panel, "h2", info.n);
    about(info).forEach(function (line) { add(panel, "p", line, "soft"); });
    data.problems.forEach(function (problem) {
      if (problem[2].indexOf(node) >= 0) add(panel, "p", problem[1], problem[0] === "error" ? "bad" : "");
    });
    if (info.r) {
      var run = data.runs[info.r[0]], address = info.r[2];
      add(panel, "h3", "Last run");
      add(panel, "p", [run[0], info.r[1], run[1]].filter(Boolean).join(" · "));
      add(panel, "p", run[2], "soft");
      if (address) {
        var home = info.k === "step" ? info : data.nodes[info.s];
        var link = add(add(panel, "p"), "a", "Open its report");
        link.href = address.charAt(0) === "\t" ? home.u + address.slice(1) : address;
        link.target = "_blank";
        link.rel = "noopener";
      }
    }
    table("Parameters", info.p ? data.parameters[info.p] : []);
    var substep = info.k === "substep";
    table(substep ? "Reads" : "Written by", flows(near(node, 1, 0)));
    table(substep ? "Writes" : "Read by", flows(near(node, 0, 1)));
    if (info.k === "step") {
      table("Substeps", data.nodes.map(function (each, place) { return [each, place]; })
        .filter(function (pair) { return pair[0].s === node && pair[0].k === "substep"; })
        .map(function (pair) { return [{ go: pair[1], text: pair[0].n }]; }));
    }
    table("Schema", info.c ? data.columns[info.c] : []);
  }

  // -- tools
  function look() {
    var word = search.value.trim().toLowerCase();
    document.querySelectorAll(".hit").forEach(function (each) { each.classList.remove("hit"); });
    hits = [];
    hit = -1;
    if (word) {
      data.nodes.forEach(function (node, place) {
        if ((node.n + " " + about(node).join(" ")).toLowerCase().indexOf(word) >= 0) hits.push(place);
      });
    }
    hits.forEach(function (node) { if (drawn[level][node]) drawn[level][node].classList.add("hit"); });
    count.textContent = word ? hits.length + " found" : "";
  }
  search.addEventListener("input", look);
  search.addEventListener("keydown", function (event) {
    if (event.key === "Enter" && hits.length) {
      hit = (hit + (event.shiftKey ? hits.length - 1 : 1)) % hits.length;
      count.textContent = hit + 1 + " of " + hits.length;
      into(hits[hit]);
    } else if (event.key === "Escape") { search.value = ""; look(); search.blur(); }
  });
  document.getElementById("level").addEventListener("click", function () { show(1 - level); });
  document.getElementById("in").addEventListener("click", function () { middle(1.3); });
  document.getElementById("out").addEventListener("click", function () { middle(1 / 1.3); });
  document.getElementById("fit").addEventListener("click", fit);
  document.addEventListener("keydown", function (event) {
    if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
    var key = event.key;
    if (key === "+" || key === "=") middle(1.3);
    else if (key === "-") middle(1 / 1.3);
    else if (key === "0") fit();
    else if (key === "/") { search.focus(); event.preventDefault(); }
    else if (key === "Escape") pick(-1);
    else if ((key === "ArrowRight" || key === "ArrowLeft") && picked >= 0) {
      var side = key === "ArrowRight" ? [0, 1] : [1, 0];
      var next = data.levels[level].lines.filter(function (line) { return line[side[0]] === picked; })[0];
      if (next) into(next[side[1]]);
      event.preventDefault();
    } else if (key.indexOf("Arrow") === 0) {
      x += key === "ArrowLeft" ? 60 : key === "ArrowRight" ? -60 : 0;
      y += key === "ArrowUp" ? 60 : key === "ArrowDown" ? -60 : 0;
      move();
      event.preventDefault();
    }
  });
  Array.prototype.forEach.call(document.querySelectorAll("#problems li"), function (item, place) {
    item.addEventListener("click", function () {
      var node = (data.problems[place][2] || [])[0];
      if (node !== undefined) into(node);
    });
  });
  window.addEventListener("resize", fit);
  show(data.levels[0].boxes.length > 400 ? 1 : 0);
})();
