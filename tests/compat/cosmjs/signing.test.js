// Every message of Souk, signed in both modes, must pass the chain's own check of the signature.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { AminoTypes } from "@cosmjs/stargate";
import { aminoConverters } from "./amino.js";
import { chainId, connect, denom } from "./chain.js";
import { bareMessage, fullMessage } from "./sample.js";
import { transactionMessages, typeUrl } from "./schema.js";

const fee = { amount: [{ denom, amount: "1000" }], gas: "1000000" };
const unauthorized = 4; // of codespace sdk: a signature that does not fit

const samples = { full: fullMessage, bare: bareMessage };
const accounts = {};

for (const mode of ["DIRECT", "AMINO"]) {
  const account = await connect(`signer-${mode}`, mode);
  const { accountNumber, sequence } = await account.client.getSequence(account.address);
  accounts[mode] = { ...account, accountNumber, sequence };
}
after(() => Object.values(accounts).forEach(({ client }) => client.disconnect()));

// offer signs a message and has the node check the transaction, as it does before it takes one into its pool.
async function offer(mode, message, value, client = accounts[mode].client) {
  const account = accounts[mode];
  const signerData = { accountNumber: account.accountNumber, sequence: account.sequence, chainId: chainId() };
  const signed = await client.sign(account.address, [{ typeUrl: typeUrl(message), value }], fee, "a memo", signerData);
  const answer = await account.comet.broadcastTxSync({ tx: TxRaw.encode(signed).finish() });
  if (answer.code === 0) account.sequence++;
  return answer;
}

for (const message of transactionMessages) {
  for (const mode of Object.keys(accounts)) {
    test(`${typeUrl(message)} ${mode}`, async () => {
      for (const [kind, sample] of Object.entries(samples)) {
        const answer = await offer(mode, message, sample(message, accounts[mode].address));
        assert.equal(answer.code, 0, `the ${kind} message is refused: ${answer.codespace} ${answer.code} ${answer.log}`);
      }
    });
  }
}

test("a signature of something else is refused", async () => {
  const [message] = transactionMessages;
  const converters = aminoConverters(transactionMessages);
  const { toAmino } = converters[typeUrl(message)];
  converters[typeUrl(message)].toAmino = (value) => ({ ...toAmino(value), added: "1" });
  const wrong = await connect("signer-AMINO", "AMINO", { aminoTypes: new AminoTypes(converters) });
  try {
    const answer = await offer("AMINO", message, fullMessage(message, wrong.address), wrong.client);
    assert.deepEqual([answer.codespace, answer.code], ["sdk", unauthorized], answer.log);
  } finally {
    wrong.client.disconnect();
  }
});
