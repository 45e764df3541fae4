"use strict";

// Where artmint serve answers, a key with scopes (artmint key new), and what an endpoint's events are signed with.
class ArtmintApi {
  name = "artmintApi";
  displayName = "artmint API";
  documentationUrl = "https://standardwebhooks.com";
  properties = [
    {
      displayName: "Address",
      name: "address",
      type: "string",
      default: "http://127.0.0.1:8460",
      required: true,
      description: "Where artmint serve answers, without /v1",
    },
    {
      displayName: "API Key",
      name: "apiKey",
      type: "string",
      typeOptions: { password: true },
      default: "",
      description: "Printed once by artmint key new. Its scopes are all that these nodes can do",
    },
    {
      displayName: "Webhook Secret",
      name: "webhookSecret",
      type: "string",
      typeOptions: { password: true },
      default: "",
      placeholder: "whsec_...",
      description: "Printed once by artmint webhook add. Only the trigger needs it; without it, it refuses everything",
    },
  ];
  authenticate = { type: "generic", properties: { headers: { Authorization: "=Bearer {{$credentials.apiKey}}" } } };
  test = { request: { baseURL: '={{$credentials.address.replace(/\\/+$/, "")}}', url: "/v1/runs?limit=1" } };
}

exports.ArtmintApi = ArtmintApi;
