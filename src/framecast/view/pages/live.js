// Forecasts drawn while one watches: a window or an upload, members, steps, seed; then the window itself.

import { field, make, state, toast } from "./dom.js";
import { clockOf, leadText } from "./numbers.js";
import { windowPage } from "./window.js";
import { ready } from "./charts.js";
import { dropped, zip } from "./zip.js";

/** @param {any} app @param {URLSearchParams} query @returns {Promise<HTMLElement>} */
export async function live(app, query) {
  if (!app.library.live)
    return state(
      "No model was named",
      "Start with: framecast view --model MODEL --data ARCHIVE. Then forecasts can be drawn here.",
    );
  const offer = await app.source.json("api/live");
  const clock = clockOf(offer.reach);
  let upload = "",
    sequences = offer.sequences;
  const sequence = make("select", {}),
    time = make("select", {});
  const members = make("input", { type: "number", min: 1, max: offer.most.members, value: query.get("members") ?? 10 });
  const seed = make("input", { type: "number", min: 0, value: query.get("seed") ?? 0 });
  const steps = make("input", {
    type: "number",
    min: 1,
    max: offer.most.steps,
    placeholder: offer.steps ?? "the model's",
    value: query.get("steps") ?? "",
  });
  const label = make(
    "select",
    {},
    make("option", { value: "" }, "none"),
    ...offer.labels.map((/** @type {string} */ name) => make("option", { value: name }, name)),
  );
  const bar = make("progress", { max: 1, value: 0, hidden: true, "aria-label": "Progress" }),
    told = make("p", { class: "dim", role: "status" });
  const draw = make("button", { class: "primary", type: "button", onclick: () => run() }, "Draw members");
  const cancel = make("button", { type: "button", hidden: true }, "Cancel");
  const keep = make("button", { type: "button", hidden: true }, "Save this forecast");
  const result = make("div", {});

  function fill() {
    sequence.replaceChildren(...Object.keys(sequences).map((name) => make("option", { value: name }, name)));
    const times = () => {
      const own = sequences[sequence.value] ?? [];
      time.replaceChildren(
        ...own.map((/** @type {string} */ each, /** @type {number} */ k) =>
          make("option", { value: each, selected: k === own.length - 1 }, each.replace("T", " ")),
        ),
      );
    };
    sequence.onchange = times;
    const wanted = query.get("sequence");
    if (wanted && sequences[wanted]) sequence.value = wanted;
    times();
    const when = query.get("time");
    if (when && (sequences[sequence.value] ?? []).includes(when)) time.value = when;
    draw.disabled = !Object.keys(sequences).length;
  }
  fill();

  /** Ask for a job's state until it is over. @param {any} job @param {(job: any) => void} each */
  async function follow(job, each) {
    bar.hidden = false;
    cancel.hidden = false;
    draw.disabled = true;
    const key = job.key;
    cancel.onclick = () => app.source.send(`jobs/${key}`, "DELETE");
    try {
      for (;;) {
        bar.value = job.part;
        told.textContent = job.state === "waiting" ? "waiting for its turn" : job.told;
        each(job);
        if (job.state === "done") return job;
        if (job.state !== "running" && job.state !== "waiting") throw new Error(job.told);
        if (!bar.isConnected) {
          app.source.send(`jobs/${key}`, "DELETE").catch(() => {});
          throw new Error("left");
        }
        await new Promise((resolve) => setTimeout(resolve, 400));
        job = await app.source.send(`jobs/${key}`, "GET");
      }
    } finally {
      bar.hidden = true;
      cancel.hidden = true;
      draw.disabled = !Object.keys(sequences).length;
    }
  }

  async function run() {
    keep.hidden = true;
    result.replaceChildren();
    let drawn = 0;
    const wanted = {
      sequence: sequence.value,
      time: time.value,
      members: Number(members.value),
      seed: Number(seed.value),
      steps: steps.value === "" ? null : Number(steps.value),
      label: label.value,
      upload,
    };
    app.replace("forecast", {
      sequence: wanted.sequence,
      time: wanted.time,
      members: wanted.members,
      seed: wanted.seed,
      steps: wanted.steps,
    });
    try {
      const job = await follow(await app.source.send("jobs", "POST", wanted), (now) => {
        if (now.found.drawn && now.found.drawn !== drawn) {
          drawn = now.found.drawn;
          show(now).catch(() => {
            drawn = 0;
          });
        }
      });
      keep.hidden = false;
      keep.disabled = false;
      keep.onclick = async () => {
        keep.disabled = true;
        try {
          const { key } = await app.source.send(`jobs/${job.key}/keep`, "POST", {});
          await app.open(true);
          toast("The forecast is saved.");
          app.go(`w/${key}/0`);
        } catch (error) {
          keep.disabled = false;
          told.textContent = error instanceof Error ? error.message : String(error);
        }
      };
    } catch (error) {
      told.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  let showing = 0;
  /** Show what is drawn so far. @param {any} job */
  async function show(job) {
    const turn = ++showing,
      file = await app.source.json(`api/library/live-${job.key}`, false);
    const page = await windowPage(
      { ...bound(app), library: { ...app.library, files: [...app.library.files, file] }, replace: () => {} },
      file.key,
      0,
      new URLSearchParams({
        t: String(file.past.length),
        p: file.members > 1 ? "mean,spread,member-1,member-2" : "member-1",
      }),
    );
    if (turn !== showing || !result.isConnected) return;
    result.replaceChildren(page);
    /** @type {any} */ (page).mounted?.();
    ready(page);
  }

  const chosen = make("input", {
    type: "file",
    accept: [...offer.endings, "image/*"].join(","),
    multiple: true,
    hidden: true,
    onchange: () => {
      send([...chosen.files]);
    },
  });
  const drop = make(
    "div",
    { class: "drop" },
    make("p", {}, "Drop your own frames here: NetCDF, .npy, or a folder or zip of pictures."),
    make("button", { type: "button", onclick: () => chosen.click() }, "Choose files"),
    chosen,
    make(
      "p",
      { class: "small" },
      `At least ${offer.past} frames ${leadText(offer.cadence, clock).replace("+", "")} apart, channel ${offer.channels.join(", ")} in ${offer.unit || "the model's unit"}, ${Math.round(offer.most.bytes / 2 ** 20)} MiB at most. The upload is deleted after it is read.`,
    ),
  );
  drop.addEventListener("dragover", (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer) dropped(event.dataTransfer).then(send);
  });

  /** @param {string} name */
  const known = (name) => offer.endings.some((/** @type {string} */ ending) => name.toLowerCase().endsWith(ending));

  /** @param {File[]} files several become one archive */
  async function send(files) {
    if (!files.length) return;
    told.textContent = "uploading";
    told.classList.remove("worse");
    try {
      const file = files.length === 1 && known(files[0].name) ? files[0] : new File([await zip(files)], "frames.zip");
      if (file.size > offer.most.bytes)
        throw new Error(
          `${file.name} has ${Math.round(file.size / 2 ** 20)} MiB; at most ${offer.most.bytes / 2 ** 20} MiB can be uploaded: choose a smaller part.`,
        );
      const job = await follow(
        await app.source.send(`uploads?name=${encodeURIComponent(file.name)}`, "POST", file),
        () => {},
      );
      upload = job.key;
      sequences = job.found.live.sequences;
      fill();
      told.textContent = `${file.name} is read: ${job.found.notes.filter(Boolean).join("; ")}`;
    } catch (error) {
      told.textContent = error instanceof Error ? error.message : String(error);
      told.classList.add("worse");
    }
  }

  return make(
    "div",
    { class: "stack" },
    make(
      "section",
      { class: "card stack" },
      make("h1", {}, `Forecast with ${offer.model}`),
      make(
        "p",
        { class: "dim" },
        `${offer.past} frames are seen, ${offer.future} are forecast, up to ${leadText(offer.reach, clock)}.`,
      ),
      make(
        "div",
        { class: "bar" },
        field("Sequence", sequence),
        field("Last frame seen", time),
        field("Members", members),
        field("Steps", steps),
        field("Seed", seed),
        offer.labels.length ? field("Label", label) : null,
        draw,
        cancel,
        keep,
      ),
      bar,
      told,
      make("details", { open: !Object.keys(sequences).length }, make("summary", {}, "Your own frames"), drop),
    ),
    result,
  );
}

/** An object with the application's own methods. @param {any} app */
function bound(app) {
  return {
    source: app.source,
    link: app.link.bind(app),
    go: app.go.bind(app),
    listen: app.listen.bind(app),
    get leaving() {
      return app.leaving;
    },
  };
}
