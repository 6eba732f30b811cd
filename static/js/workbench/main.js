// @ts-check
/** Starts the workbench with the data that came with the page. */

import { find } from "./dom.js";
import { NerEditor } from "./ner.js";
import { SentimentEditor } from "./sentiment.js";
import { SrlEditor } from "./srl.js";
import { useStrings } from "./strings.js";
import { Workbench } from "./workbench.js";

const EDITORS = { sentiment: SentimentEditor, ner: NerEditor, srl: SrlEditor };

const { project, example, urls, strings } = JSON.parse(find("#workbench-data").textContent ?? "");
useStrings(strings);
new Workbench(project, urls, EDITORS[/** @type {keyof typeof EDITORS} */ (project.task)]).start(example);
