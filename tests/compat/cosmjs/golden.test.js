// The amino JSON that the chain wrote into its golden file is what these converters write, and read.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { aminoTypes, registry } from "./chain.js";
import { transactionMessages, typeUrl } from "./schema.js";

const golden = JSON.parse(readFileSync(process.env.SOUK_GOLDEN, "utf8"));

for (const url of [...transactionMessages.map(typeUrl), "/cosmos.authz.v1beta1.MsgGrant"]) {
  test(`${url} is written as the chain writes it`, () => {
    assert.ok(golden[url], "the golden file has no such message");
    const message = aminoTypes.fromAmino(golden[url]);
    assert.equal(message.typeUrl, url);
    assert.deepEqual(aminoTypes.toAmino(message), golden[url]);

    // Over the wire nothing of it is lost either.
    const received = { typeUrl: url, value: registry.decode({ typeUrl: url, value: registry.encode(message) }) };
    assert.deepEqual(aminoTypes.toAmino(received), golden[url]);
  });
}
