/* Steps of sinara in JupyterLab. Written by hand and loaded as it is: nothing is built.
 *
 * JupyterLab asks a container for the module "./extension", and gives it the modules that it
 * shares. Text from notebooks and runs goes into the page as text only, never as markup.
 */
(() => {
  "use strict";
  let scope = null;
  const TAGS = ["parameters", "params", "interface", "checkpoint", "business_report"];
  const POLL = 700; // ms between two looks at a run that goes on

  const STYLE = `
.sinara-badges { position: absolute; top: -8px; right: 10px; display: flex; gap: 4px; z-index: 3; pointer-events: none; }
.sinara-badge { font: 600 10px/15px var(--jp-ui-font-family); padding: 0 7px; border-radius: 8px; color: #fff; background: #5661c9; opacity: .92; }
.sinara-badge[data-tag="interface"] { background: #2a8f6a; }
.sinara-badge[data-tag="checkpoint"] { background: #b7791f; }
.sinara-badge[data-tag="business_report"] { background: #7a5195; }
.sinara-run { position: absolute; right: 24px; bottom: 18px; z-index: 20; width: 340px; padding: 12px 14px; border-radius: 10px; border: 1px solid var(--jp-border-color2); background: var(--jp-layout-color1); color: var(--jp-ui-font-color1); box-shadow: 0 4px 18px rgb(0 0 0 / 18%); font-family: var(--jp-ui-font-family); font-size: 13px; }
.sinara-run h4 { margin: 0 22px 4px 0; font-size: 13px; overflow-wrap: anywhere; }
.sinara-run p { margin: 4px 0; overflow-wrap: anywhere; }
.sinara-run .sinara-soft { color: var(--jp-ui-font-color2); font-size: 12px; }
.sinara-run .sinara-bad { color: var(--jp-error-color1); }
.sinara-run progress { width: 100%; height: 6px; accent-color: #5661c9; }
.sinara-run button, .sinara-run a { font: inherit; font-size: 12px; cursor: pointer; margin-right: 12px; background: none; border: 0; padding: 2px 0; color: var(--jp-content-link-color); text-decoration: none; }
.sinara-run .sinara-close { position: absolute; top: 8px; right: 2px; color: var(--jp-ui-font-color2); }
.sinara-page { overflow: hidden; }
.sinara-page iframe { border: 0; width: 100%; height: 100%; background: var(--jp-layout-color0); }
`;

  async function shared(name) {
    const versions = scope && scope[name];
    if (!versions) throw new Error(`JupyterLab shares no ${name}`);
    const newest = Object.keys(versions).sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).pop();
    return (await versions[newest].get())();
  }

  function make(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function tagsOf(cell) {
    const tags = cell.model.getMetadata("tags");
    return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
  }

  // -- badges: what the tags of a cell are, without opening the side bar --------------------------
  const followed = new WeakSet();
  function badge(cell) {
    if (!cell || !cell.model || cell.isDisposed) return;
    const shown = tagsOf(cell).filter((tag) => TAGS.includes(tag));
    let row = Array.from(cell.node.children).find((child) => child.className === "sinara-badges");
    if (!row && shown.length) {
      row = make("div", "sinara-badges");
      cell.node.appendChild(row);
    }
    if (row) {
      row.textContent = "";
      shown.forEach((tag) => {
        const one = make("span", "sinara-badge", tag);
        one.dataset.tag = tag === "params" ? "parameters" : tag;
        row.appendChild(one);
      });
    }
    if (!followed.has(cell)) {
      followed.add(cell);
      cell.model.metadataChanged.connect(() => badge(cell));
    }
  }
  function follow(panel) {
    const all = () => panel.content.widgets.forEach(badge);
    panel.context.ready.then(() => {
      all();
      panel.content.model.cells.changed.connect(() => requestAnimationFrame(all));
    });
    panel.content.modelChanged.connect(all);
  }

  function toggle(tracker, tag) {
    const cell = tracker.activeCell;
    if (!cell) return;
    const tags = tagsOf(cell);
    const left = tags.filter((each) => each !== tag);
    if (left.length === tags.length) left.push(tag);
    if (left.length) cell.model.setMetadata("tags", left);
    else cell.model.deleteMetadata("tags");
  }

  // -- a job of the step, and what it says while it goes ---------------------------------------
  class Run {
    constructor(server, panel, openPage) {
      this.server = server;
      this.panel = panel;
      this.openPage = openPage;
      this.box = make("div", "sinara-run");
      this.box.setAttribute("role", "status");
      panel.node.appendChild(this.box);
    }

    async start(path) {
      this.tell({ state: "starting" });
      try {
        const begun = await this.server.ask("api/run", { method: "POST", body: JSON.stringify({ path }) });
        this.id = begun.id;
      } catch (error) {
        this.tell({ state: "refused", message: error.message });
        return;
      }
      await this.watch();
    }

    async watch() {
      let missed = 0;
      while (!this.panel.isDisposed) {
        try {
          const state = await this.server.ask(`api/run/${this.id}`, {});
          missed = 0;
          this.tell(state);
          if (state.state !== "running") { this.ended(state); return; }
        } catch (error) {
          missed += 1; // the run goes on, whether or not the server answers just now
          if (missed > 20) {
            this.tell({ state: "unknown", message: `The server does not answer: ${error.message}` });
            return;
          }
        }
        await new Promise((done) => setTimeout(done, POLL));
      }
    }

    ended(state) {
      const failed = state.failure;
      const path = `/${this.panel.context.path}`;
      if (!failed || failed.cell === null || !path.endsWith(`/${failed.substep}`)) return;
      const cell = this.panel.content.widgets[failed.cell];
      if (cell) {
        this.panel.content.activeCellIndex = failed.cell;
        if (this.panel.content.scrollToItem) this.panel.content.scrollToItem(failed.cell, "center");
      }
    }

    tell(state) {
      const box = this.box;
      box.textContent = "";
      const title = { starting: "Starting the step…", running: "Running", refused: "The step was not started" };
      const name = state.step ? ` ${state.step}` : "";
      box.appendChild(make("h4", "", (title[state.state] || `Run ${state.state}`) + (title[state.state] ? name : `:${name}`)));
      const close = make("button", "sinara-close", "✕");
      close.title = "Close";
      close.addEventListener("click", () => box.remove());
      box.appendChild(close);
      if (state.state === "running" && state.substep) {
        const cell = state.cell === null ? "" : `, cell ${state.cell + 1} of ${state.cells}`;
        box.appendChild(make("p", "", `${state.number} of ${state.of}: ${state.substep}${cell}`));
        const bar = make("progress");
        bar.max = state.of || 1;
        bar.value = state.number - 1 + (state.cells ? (state.cell || 0) / state.cells : 0);
        box.appendChild(bar);
      }
      if (state.seconds) box.appendChild(make("p", "sinara-soft", `${state.seconds.toFixed(0)} s`));
      if (state.message) box.appendChild(make("p", state.state === "succeeded" ? "sinara-soft" : "sinara-bad", state.message));
      if (state.note) box.appendChild(make("p", "sinara-note", state.note));
      if (state.report) {
        const open = make("button", "sinara-report", "Open the report");
        open.addEventListener("click", () => this.openPage(state.report, `Report: ${state.step}`));
        box.appendChild(open);
      }
      if (state.state === "running" && this.id) {
        const stop = make("button", "sinara-stop", "Stop");
        stop.addEventListener("click", () => this.server.ask(`api/run/${this.id}`, { method: "DELETE" }));
        box.appendChild(stop);
      }
    }
  }

  function serverOf(services, base) {
    const settings = services.ServerConnection.makeSettings();
    return {
      address: (path) => base.URLExt.join(settings.baseUrl, "sinara", path),
      async ask(path, init) {
        const answer = await services.ServerConnection.makeRequest(this.address(path), init, settings);
        let told = {};
        try { told = await answer.json(); } catch (error) { /* no JSON: told below */ }
        if (!answer.ok) throw new Error(told.message || `The server answers ${answer.status}.`);
        return told;
      },
    };
  }

  function activateWith(notebook, apputils, services, base, widgets, parts) {
    return (app, tracker, palette, launcher) => {
      const style = make("style", "", STYLE);
      document.head.appendChild(style);
      const server = serverOf(services, base);
      const runs = new WeakMap();

      function openPage(address, title) {
        const page = new widgets.Widget();
        page.id = `sinara-${Math.random().toString(36).slice(2)}`;
        page.title.label = title;
        page.title.closable = true;
        page.addClass("sinara-page");
        const frame = make("iframe");
        frame.setAttribute("sandbox", "allow-scripts allow-popups");
        frame.src = address.startsWith("http") ? address : server.address(address);
        page.node.appendChild(frame);
        app.shell.add(page, "main");
        app.shell.activateById(page.id);
      }
      const openGraph = (path) => openPage(`graph?path=${encodeURIComponent(path)}`, "Pipeline graph");

      async function runStep(panel) {
        const last = runs.get(panel);
        if (last) last.box.remove();
        const run = new Run(server, panel, openPage);
        runs.set(panel, run);
        const folder = panel.context.path.split("/").slice(0, -1).join("/");
        const changed = [];
        tracker.forEach((each) => {
          if (each.context.path.startsWith(folder ? `${folder}/` : "") && each.context.model.dirty) changed.push(each.context.save());
        });
        await Promise.all(changed);
        await run.start(panel.context.path);
      }

      async function tools(panel) {
        await panel.context.ready;
        let step;
        try { step = await server.ask(`api/step?path=${encodeURIComponent(panel.context.path)}`, {}); } catch (error) { return; }
        if (!step.step || panel.isDisposed) return;
        const Button = parts.ToolbarButton || apputils.ToolbarButton;
        panel.toolbar.insertItem(11, "sinara-run-step", new Button({
          label: "▶ Run step", tooltip: `Run the step ${step.step} as a job, with what is saved`,
          onClick: () => runStep(panel),
        }));
        panel.toolbar.insertItem(12, "sinara-graph", new Button({
          label: "Graph", tooltip: "Show the pipeline's graph", onClick: () => openGraph(panel.context.path),
        }));
      }

      tracker.widgetAdded.connect((_, panel) => { follow(panel); tools(panel); });
      tracker.forEach((panel) => { follow(panel); tools(panel); });

      const add = (id, label, execute) => {
        app.commands.addCommand(id, { label, execute });
        if (palette) palette.addItem({ command: id, category: "Sinara" });
      };
      add("sinara:run-step", "Run step", () => tracker.currentWidget && runStep(tracker.currentWidget));
      add("sinara:graph", "Pipeline graph", () => openGraph(tracker.currentWidget ? tracker.currentWidget.context.path : ""));
      ["parameters", "interface", "checkpoint", "business_report"].forEach((tag) => {
        const id = `sinara:tag-${tag.replace("_", "-")}`;
        add(id, `Tag the cell as ${tag}, or take the tag off`, () => toggle(tracker, tag));
        app.contextMenu.addItem({ command: id, selector: ".jp-Notebook .jp-CodeCell", rank: 20 });
      });
      if (launcher) launcher.add({ command: "sinara:graph", category: "Other", rank: 5 });
    };
  }

  const modules = {
    "./extension": async () => {
      let plugins = [];
      try {
        const [notebook, apputils, services, base, widgets, parts] = await Promise.all(
          ["@jupyterlab/notebook", "@jupyterlab/apputils", "@jupyterlab/services", "@jupyterlab/coreutils", "@lumino/widgets", "@jupyterlab/ui-components"].map(shared));
        let launcher = [];
        try { launcher = [(await shared("@jupyterlab/launcher")).ILauncher]; } catch (error) { /* it has none */ }
        plugins = [{
          id: "sinara:steps", autoStart: true, requires: [notebook.INotebookTracker],
          optional: [apputils.ICommandPalette, ...launcher],
          activate: activateWith(notebook, apputils, services, base, widgets, parts),
        }];
      } catch (error) {
        console.warn("sinara: this JupyterLab lacks what its extension needs:", error.message);
      }
      return { __esModule: true, default: plugins };
    },
  };
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.sinara = {
    init: (given) => { scope = given; },
    get: async (name) => { const module = await modules[name](); return () => module; },
  };
})();
