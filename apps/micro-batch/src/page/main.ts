// The page: settings in, comparison out.

import { defaults, hashOf, type Settings, settingsOf } from "../settings.ts";
import { browserNotes } from "./browser.ts";
import { createControls } from "./controls.ts";
import { createDisplay } from "./display.ts";
import { byId, make, setText } from "./dom.ts";
import { explanation } from "./explanation.ts";
import type { Report } from "./messages.ts";
import type { Axis } from "./plot.ts";
import { type Run, startRun } from "./run.ts";

/** Between the steps of a beginning: a frame, so that the page answers and draws in between. */
const STEP_MS = 17;

const [pauseButton, notice] = [byId<HTMLButtonElement>("pause"), byId("notice")];
const display = createDisplay();
const controls = createControls((settings) => {
  setText(notice, "");
  begin(settings);
  setTimeout(() => history.replaceState(null, "", hashOf(settings)), STEP_MS);
});

let settings: Settings = defaults;
let run: Run | undefined;
/** The timer of the beginning's next step. */
let next: ReturnType<typeof setTimeout> | undefined;
/** Whether the user wants it to stand still. A hidden tab stands still as well. */
let paused = false;
let state: "starting" | "training" | "ended" = "starting";
let ending = "";

function begin(wanted: Settings): void {
  run?.stop();
  run = undefined;
  settings = wanted;
  [state, paused, ending] = ["starting", false, ""];
  setText(byId("engine-name"), "");
  showState();
  inTurn([
    () =>
      byId("explanation").replaceChildren(
        ...explanation(settings).map((sentence) => make("p", {}, sentence)),
      ),
    () => display.begin(settings.methods),
    () => {
      run = startRun(settings, see);
      follow();
    },
  ]);
}

/** Takes one step after another, each in a task of its own; those of an earlier beginning are dropped. */
function inTurn(steps: readonly (() => void)[]): void {
  clearTimeout(next);
  const [first, ...others] = steps;
  if (first === undefined) return;
  next = setTimeout(() => {
    first();
    inTurn(others);
  }, STEP_MS);
}

function see(report: Report): void {
  switch (report.type) {
    case "engine": {
      const { description, problem } = report;
      setText(byId("engine-name"), description);
      if (problem !== undefined) {
        setText(notice, `WebGPU cannot be had here, so WebAssembly trains instead: ${problem}`);
      }
      break;
    }
    case "adapter":
      showNotes(report.found);
      break;
    case "shown":
      display.images(report.shown);
      break;
    case "events":
      if (report.events.some(({ type }) => type === "step")) state = "training";
      display.see(report.events);
      break;
    case "ended":
      [state, ending] = ["ended", report.reason];
      break;
  }
  showState();
}

function showNotes(adapter?: boolean): void {
  byId("browser").replaceChildren(...browserNotes(adapter).map((note) => make("li", {}, note)));
}

function showState(): void {
  pauseButton.disabled = state === "ended";
  setText(pauseButton, paused ? "Resume" : "Pause");
  document.body.dataset.state = paused && state !== "ended" ? "paused" : state;
  setText(byId("state"), describeState());
}

function describeState(): string {
  if (state === "ended") return `The training has ended: ${ending}`;
  if (paused) return "Paused";
  if (document.hidden) return "Waiting while the tab is hidden";
  return state === "starting" ? "Starting …" : "Training";
}

function follow(): void {
  if (paused || document.hidden) run?.pause();
  else run?.resume();
  showState();
}

function readLink(): void {
  const { settings: wanted, problems } = settingsOf(location.hash);
  const unknown = problems.length === 0 ? "" : `Not understood in the link: ${problems.join(", ")}`;
  setText(notice, unknown);
  controls.show(wanted);
  begin(wanted);
}

pauseButton.addEventListener("click", () => {
  paused = !paused;
  follow();
});
byId("restart").addEventListener("click", () => {
  // A field may hold what cannot be.
  controls.show(settings);
  begin(settings);
});
byId("copy").addEventListener("click", async () => {
  const link = `${location.href.split("#")[0]}${hashOf(settings)}`;
  try {
    await navigator.clipboard.writeText(link);
    setText(notice, "The link to these settings is copied.");
  } catch {
    setText(notice, `The link to these settings: ${link}`);
  }
});
for (const input of document.querySelectorAll<HTMLInputElement>("input[name=axis]")) {
  input.addEventListener("change", () => display.setAxis(input.value as Axis));
}
document.addEventListener("visibilitychange", follow);
addEventListener("hashchange", readLink);
readLink();
showNotes();
