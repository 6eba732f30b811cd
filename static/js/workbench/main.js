// @ts-check
/** Starts the workbench with the data that came with the page. */

import { find } from "./dom.js";
import { NerEditor } from "./ner.js";
import { SentimentEditor } from "./sentiment.js";
import { SrlEditor } from "./srl.js";
import { useStrings } from "./strings.js";
import { Workbench } from "./workbench.js";

const EDITORS = { sentiment: SentimentEditor, ner: NerEditor, srl: SrlEditor };

const settings = JSON.parse(find("#workbench-data").textContent ?? "");
useStrings(settings.strings);
const workbench = new Workbench(settings, EDITORS[/** @type {keyof typeof EDITORS} */ (settings.project.task)]);
// From here on the page speaks for itself; until here it says that it has not started.
find("#starting").remove();
workbench.start(settings.example);
