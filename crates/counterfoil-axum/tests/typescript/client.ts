// A strict client of the management API, made from its OpenAPI document. `.ci/http` checks its types and runs it.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type MintedToken = components["schemas"]["MintedToken"];

/** The plaintext of a new secret. A repeated request has none, and the types say so. */
export function plaintext(minted: MintedToken): string {
  if (minted.replayed) {
    const none: null = minted.token;
    throw new Error(`the plaintext of ${minted.id} was shown before: ${none}`);
  }
  return minted.token;
}

// @ts-expect-error Without a look at `replayed` there may be no plaintext.
export const unchecked = (minted: MintedToken): string => minted.token;

const [baseUrl, session] = process.argv.slice(2);
if (!baseUrl || !session) throw new Error("usage: client URL SESSION");
const client = createClient<paths>({ baseUrl, headers: { Cookie: `session=${session}` } });

const body = { name: "製品 🔑", scopes: ["parts:read"], metadata: { team: 7 } };
const params = { header: { "Idempotency-Key": "typescript-1" } };
const first = await client.POST("/tokens", { body, params });
if (!first.data) throw new Error(first.error.detail);
if (first.data.replayed) throw new Error("replayed at once");
const token: string = first.data.token;
if (!token.startsWith("acme_")) throw new Error("no token");

const location = first.response.headers.get("Location");
const shown = await fetch(new URL(location ?? "", baseUrl), { headers: { Cookie: `session=${session}` } });
const found: components["schemas"]["Token"] = await shown.json();
if (found.id !== first.data.id || found.name !== body.name) throw new Error(`found ${found.id} at ${location}`);

const again = await client.POST("/tokens", { body, params });
if (again.data?.replayed !== true) throw new Error("not replayed");

// The version in the body is the precondition of a change.
const path = { token_id: first.data.id };
const header = { "If-Match": `"${found.version}"` };
const revoked = await client.POST("/tokens/{token_id}/revoke", { params: { path, header } });
if (revoked.data?.status !== "revoked") throw new Error(revoked.error?.detail);
console.log("typescript client: created, read at its location, replayed and revoked");
