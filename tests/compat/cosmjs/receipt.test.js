// A receipt that is signed here is what the chain's own tests keep: a watcher can be written in any language.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Secp256k1, sha256 } from "@cosmjs/crypto";
import { fromHex, toHex, toUtf8 } from "@cosmjs/encoding";
import { Receipt } from "./generated/souk/proof/v1/entities.js";

const vector = JSON.parse(readFileSync(process.env.SOUK_RECEIPT, "utf8"));

/** The receipt with its signature, from one without. */
function sign(receipt, privateKey) {
  const signed = new Uint8Array([...toUtf8("souk/proof/receipt"), ...Receipt.encode(receipt).finish()]);
  const signature = Secp256k1.createSignature(sha256(signed), privateKey);
  return { signed, receipt: { ...receipt, signature: new Uint8Array([...signature.r(32), ...signature.s(32)]) } };
}

test("a receipt is signed as the chain has it", async () => {
  const unsigned = Receipt.fromPartial({
    chainId: vector.chain_id,
    lease: BigInt(vector.lease),
    epoch: BigInt(vector.epoch),
    seq: BigInt(vector.seq),
    upSeconds: BigInt(vector.up_seconds),
    until: BigInt(vector.until),
    publicKey: fromHex(vector.public_key),
  });
  const { signed, receipt } = sign(unsigned, fromHex(vector.private_key));
  assert.equal(toHex(signed), vector.sign_bytes);
  assert.equal(toHex(receipt.signature), vector.signature);
  assert.equal(toHex(Receipt.encode(receipt).finish()), vector.encoded);
});
