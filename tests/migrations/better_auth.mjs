// Rows of the api-key plugin of better-auth: the key, what `start` shows of it, and what `key` stores.
//
//     npm install better-auth@1.7.5 @better-auth/api-key@1.7.5
//     node better_auth.mjs > better_auth.tsv
import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";

const tables = { user: [], session: [], account: [], verification: [], apikey: [] };
const auth = betterAuth({
  secret: "a secret of this script that protects nothing at all",
  baseURL: "http://localhost",
  emailAndPassword: { enabled: true },
  database: memoryAdapter(tables),
  plugins: [apiKey()],
});
const body = { email: "ann@example.com", password: "correct horse", name: "Ann" };
const { user } = await auth.api.signUpEmail({ body });
for (const prefix of [undefined, "acme_"]) {
  for (let count = 0; count < 3; count++) {
    const made = await auth.api.createApiKey({ body: { name: "ci", userId: user.id, prefix } });
    const row = tables.apikey.find((row) => row.id === made.id);
    console.log([made.key, row.start, row.key].join("\t"));
  }
}
