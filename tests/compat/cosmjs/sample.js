// Messages made up from their descriptors: with every field filled in, and with as little as possible.
import { isLong, zero } from "./amino.js";
import { isMessage, isRepeated, option, signerField, typeNamed } from "./schema.js";

const deepest = 8;

/** A message whose every field holds something, at every depth, and whose signer is the address. */
export const fullMessage = (message, address) => fill(message, address, 0);

function fill(message, address, depth) {
  if (depth > deepest) throw new Error(`${message.fullName} contains itself`);
  return Object.fromEntries(
    message.field.map((field) => [
      field.jsonName,
      isRepeated(field) ? [1, 2].map((nth) => one(field, address, depth, nth)) : one(field, address, depth, 1),
    ]),
  );
}

// one returns the nth value of a field: at the limits of its type, or with what JSON writers escape.
function one(field, address, depth, nth) {
  if (isMessage(field)) return fill(typeNamed(field.typeName), address, depth + 1);
  if (field.type === "TYPE_STRING") return text(option(field, "cosmos_proto.scalar"), address, nth);
  if (field.type === "TYPE_UINT64" || field.type === "TYPE_FIXED64") return 2n ** 64n - BigInt(nth);
  if (isLong(field)) return -(2n ** 63n) + BigInt(nth);
  switch (field.type) {
    case "TYPE_BYTES":
      return Uint8Array.from({ length: 33 }, (_, i) => (i * 37 * nth + 251) % 256);
    case "TYPE_BOOL":
      return true;
    case "TYPE_ENUM":
      return typeNamed(field.typeName).value.at(-1).number;
    case "TYPE_UINT32":
    case "TYPE_FIXED32":
      return 2 ** 32 - nth;
    case "TYPE_INT32":
    case "TYPE_SINT32":
    case "TYPE_SFIXED32":
      return -(2 ** 31) + nth;
    default:
      throw new Error(`${field.name}: no sample of ${field.type}`);
  }
}

function text(scalar, address, nth) {
  switch (scalar) {
    case "cosmos.AddressString":
      return address;
    case "cosmos.Int":
      return String(2n ** 200n + BigInt(nth));
    case "cosmos.Dec":
      return String(10n ** 18n + BigInt(nth));
    default:
      return `text ${nth}: <a & b> "é" \\ \u{1f6d2}\n`;
  }
}

/** A message of which only the signer is set, and what may not be absent. */
export function bareMessage(message, address) {
  const value = bare(message);
  value[signerField(message).jsonName] = address;
  return value;
}

function bare(message) {
  return Object.fromEntries(
    message.field.map((field) => {
      const present = isMessage(field) && !isRepeated(field) && option(field, "gogoproto.nullable") === false;
      return [field.jsonName, present ? bare(typeNamed(field.typeName)) : zero(field)];
    }),
  );
}
