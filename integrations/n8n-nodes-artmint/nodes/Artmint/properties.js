"use strict";

// What the artmint node asks for in n8n's editor: one operation, and its fields.
const OPERATIONS = [
  ["startRun", "Start a run", "Queue a batch under a name of its own: asked again, it is the same run"],
  ["waitForRun", "Wait for a run", "Until it is done, failed, cancelled or people are needed"],
  ["getRun", "Get a run", "Where a run stands now"],
  ["cancelRun", "Cancel a run", "Ask a run to stop where nothing is lost"],
  ["getPictures", "Get pictures", "One item a picture, the picture itself as binary data"],
  ["decide", "Decide", "Accept or reject a picture, under the key's name"],
  ["getDrop", "Get a drop", "Which steps towards its minting are done"],
  ["mint", "Mint a drop", "Queue it, if it is audited, kept, read back and approved; each token comes once"],
  ["verify", "Verify", "Queue a proof of a drop's tokens, from the contract's address on"],
];
const shown = (...operation) => ({ show: { operation } });

const RUN = {
  displayName: "Run ID",
  name: "run",
  type: "string",
  default: "",
  required: true,
  placeholder: "sheet-row-12",
  displayOptions: shown("startRun", "waitForRun", "getRun", "cancelRun", "mint", "verify"),
  description:
    "Letters, digits, dots, dashes. Take a name that the source keeps, such as a row's own number: with it the same row can't become two drops",
};

const REQUEST = {
  displayName: "More of the Run",
  name: "request",
  type: "collection",
  default: {},
  displayOptions: shown("startRun"),
  options: [
    { displayName: "Drop", name: "drop", type: "string", default: "", description: "Instead of the batch file's" },
    { displayName: "First Slot", name: "first_slot", type: "string", default: "", description: "Instead of the batch file's" },
    { displayName: "Quantity", name: "quantity", type: "string", default: "", description: "Instead of the batch file's" },
    { displayName: "First Stage", name: "first", type: "string", default: "", description: "As artmint run --from" },
    { displayName: "Last Stage", name: "last", type: "string", default: "", description: "As artmint run --to" },
    { displayName: "Priority", name: "priority", type: "number", default: 0, description: "Higher comes first" },
    { displayName: "Not Before", name: "not_before", type: "string", default: "", description: "A time, ISO 8601" },
  ],
};

const WAITING = {
  displayName: "Waiting",
  name: "waiting",
  type: "collection",
  default: {},
  displayOptions: shown("waitForRun"),
  options: [
    { displayName: "Minutes at Most", name: "minutes", type: "number", default: 60 },
    { displayName: "Seconds Between Looks", name: "seconds", type: "number", default: 5 },
    {
      displayName: "Wait for People Too",
      name: "people",
      type: "boolean",
      default: false,
      description: "Whether to go on waiting while people have to decide; else the item says that it waits",
    },
    {
      displayName: "Failures Are Items",
      name: "failures",
      type: "boolean",
      default: false,
      description: "Whether a run that failed or was cancelled is given on instead of failing this node",
    },
  ],
};

const PICTURES = [
  {
    displayName: "Of",
    name: "of",
    type: "options",
    default: "editions",
    displayOptions: shown("getPictures"),
    options: [
      { name: "A Drop's Editions", value: "editions" },
      { name: "A Slot's Attempts", value: "attempts" },
    ],
  },
  {
    displayName: "Slot",
    name: "slot",
    type: "string",
    default: "",
    required: true,
    displayOptions: { show: { operation: ["getPictures"], of: ["attempts"] } },
  },
  {
    displayName: "Size",
    name: "size",
    type: "options",
    default: "thumbnail",
    displayOptions: shown("getPictures"),
    options: [
      { name: "Small (WebP)", value: "thumbnail" },
      { name: "As It Is (PNG)", value: "full" },
    ],
  },
  { displayName: "Limit", name: "limit", type: "number", typeOptions: { minValue: 1 }, default: 50, displayOptions: shown("getPictures") },
];

const DECIDE = [
  { displayName: "DNA", name: "dna", type: "string", default: "={{ $json.dna }}", required: true, displayOptions: shown("decide"), description: "Of the picture" },
  {
    displayName: "Decision",
    name: "decision",
    type: "options",
    default: "accept",
    displayOptions: shown("decide"),
    options: [
      { name: "Accept", value: "accept" },
      { name: "Reject", value: "reject" },
    ],
  },
  { displayName: "Note", name: "note", type: "string", default: "", displayOptions: shown("decide") },
  {
    displayName: "Action ID",
    name: "action",
    type: "string",
    default: "",
    displayOptions: shown("decide"),
    description: "The same one again is recorded once; empty: a new one each time",
  },
];

const PROPERTIES = [
  {
    displayName: "Operation",
    name: "operation",
    type: "options",
    noDataExpression: true,
    default: "startRun",
    options: OPERATIONS.map(([value, name, description]) => ({ name, value, action: name, description })),
  },
  RUN,
  {
    displayName: "Batch",
    name: "batch",
    type: "string",
    default: "",
    required: true,
    placeholder: "demo",
    displayOptions: shown("startRun"),
    description: "A batch file's name in the service's folder of batches, without .toml",
  },
  REQUEST,
  {
    displayName: "Stage Parameters",
    name: "parameters",
    type: "json",
    default: "{}",
    displayOptions: shown("startRun"),
    description: 'By stage, such as {"20_curate": {"duplicate": 0.95}}; refused by name and type before anything is queued',
  },
  WAITING,
  {
    displayName: "Collection",
    name: "collection",
    type: "string",
    default: "",
    required: true,
    displayOptions: shown("getPictures", "decide", "getDrop", "mint", "verify"),
  },
  {
    displayName: "Drop",
    name: "drop",
    type: "string",
    default: "",
    required: true,
    displayOptions: { show: { operation: ["getPictures", "getDrop", "mint", "verify"] }, hide: { of: ["attempts"] } },
  },
  ...PICTURES,
  ...DECIDE,
  {
    displayName: "Batch",
    name: "doneBy",
    type: "string",
    default: "",
    displayOptions: shown("mint", "verify"),
    description: "Which batch does it; empty: the only one that does it for this drop",
  },
];

module.exports = { PROPERTIES };
