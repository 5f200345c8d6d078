// A connection to the node that the test started, and the accounts that it funded.
import { Secp256k1HdWallet } from "@cosmjs/amino";
import { DirectSecp256k1HdWallet, Registry } from "@cosmjs/proto-signing";
import { AminoTypes, createDefaultAminoConverters, defaultRegistryTypes, GasPrice, SigningStargateClient } from "@cosmjs/stargate";
import { Comet38Client } from "@cosmjs/tendermint-rpc";
import { aminoConverters } from "./amino.js";
import { generatedTypes } from "./generated.js";
import { grantConverter } from "./grant.js";
import { transactionMessages } from "./schema.js";

const setting = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these programs are run by the Go tests beside them`);
  return value;
};

export const chainId = () => setting("SOUK_CHAIN_ID");
export const rpcAddress = () => setting("SOUK_RPC");
export const mnemonic = (name) => JSON.parse(setting("SOUK_MNEMONICS"))[name];

export const denom = "usouk";
const prefix = "souk";
const wallets = { AMINO: Secp256k1HdWallet, DIRECT: DirectSecp256k1HdWallet };

export const registry = new Registry([...defaultRegistryTypes, ...generatedTypes]);
export const aminoTypes = new AminoTypes({
  ...createDefaultAminoConverters(),
  ...aminoConverters(transactionMessages),
  ...grantConverter,
});

/** Connects an account; its wallet can do nothing but the sign mode, AMINO or DIRECT. */
export async function connect(name, mode, options = {}) {
  const wallet = await wallets[mode].fromMnemonic(mnemonic(name), { prefix });
  const [{ address }] = await wallet.getAccounts();
  // The detection of CosmJS takes this CometBFT for another one, and would then see no events of blocks.
  const comet = await Comet38Client.connect(rpcAddress());
  const client = SigningStargateClient.createWithSigner(comet, wallet, {
    registry,
    aminoTypes,
    gasPrice: GasPrice.fromString(`0.001${denom}`),
    broadcastPollIntervalMs: 200,
    ...options,
  });
  return { address, client, comet };
}

/** What the REST gateway answers. */
export async function rest(path) {
  const response = await fetch(`${setting("SOUK_REST")}${path}`);
  const body = await response.json();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(body)}`);
  return body;
}

/** Repeats a check until what it returns is true, and returns that. */
export async function until(what, check, patienceMs = 20_000) {
  const end = Date.now() + patienceMs;
  for (;;) {
    const result = await check();
    if (result) return result;
    if (Date.now() > end) throw new Error(`waited ${patienceMs} ms until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
