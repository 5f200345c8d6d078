// Makes keplr.json: tokens as a page makes them with a browser's wallet, by the wallet's own library and CosmJS.
//
//   npm install --no-save @keplr-wallet/cosmos@0.13.41 @cosmjs/crypto@0.39.0 @cosmjs/encoding@0.39.0 && node keplr.js > keplr.json
const { makeADR36AminoSignDoc, serializeSignDoc, verifyADR36Amino } = require("@keplr-wallet/cosmos");
const { Secp256k1, sha256, ripemd160 } = require("@cosmjs/crypto");
const { toBase64, toBech32, toHex, toUtf8 } = require("@cosmjs/encoding");

const issuedAt = 1800000000;

async function make(name, seed, claims) {
  const { privkey, pubkey } = await Secp256k1.makeKeypair(sha256(toUtf8(seed)));
  const compressed = Secp256k1.compressPubkey(pubkey);
  const address = toBech32("souk", ripemd160(sha256(compressed)));
  const text = (bytes) => Buffer.from(bytes).toString("base64url");
  const jwk = { kty: "EC", crv: "secp256k1", x: text(pubkey.slice(1, 33)), y: text(pubkey.slice(33)) };
  const body = {
    iss: address, aud: "souk.agent.v1", iat: issuedAt, exp: issuedAt + 900,
    chain: "souk-1", provider: "souk1provider", ...claims,
  };
  const input = text(JSON.stringify({ alg: "ADR036", typ: "JWT", jwk })) + "." + text(JSON.stringify(body));
  const document = serializeSignDoc(makeADR36AminoSignDoc(address, input));
  const signature = (await Secp256k1.createSignature(sha256(document), privkey)).toFixedLength().slice(0, 64);
  if (!verifyADR36Amino("souk", address, input, compressed, signature)) throw new Error("the wallet's library refuses its own");
  return { name, key: toHex(privkey), issuer: address, document: toBase64(document), token: input + "." + text(signature) };
}

(async () => {
  const vectors = [
    await make("an owner's", "owner", { lease: "7", scopes: ["status", "logs"] }),
    await make("an access key's", "key", {
      owner: "souk1qyqszqgpqyqszqgpqyqszqgpqyqszqgpswkvju", deployment: "3", scopes: ["exec"],
    }),
    await make("with <, > and & in its claims", "markup", { lease: "7", scopes: ["status"], note: "<a&b>é" }),
  ];
  console.log(JSON.stringify(vectors, null, 2));
})();
