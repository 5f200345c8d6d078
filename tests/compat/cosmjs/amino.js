// Converters between messages as ts-proto has them and the amino JSON that a hardware wallet signs, made from the
// descriptors by the rules of the SDK's ADR-20: names of the .proto file, 64-bit numbers as strings, bytes in base64, enums
// as numbers, empty values left out unless amino.dont_omitempty says otherwise.
import { fromBase64, fromUtf8, toBase64, toUtf8 } from "@cosmjs/encoding";
import { isMessage, isRepeated, option, typeNamed, typeUrl } from "./schema.js";

const longTypes = /^TYPE_(U?INT64|SINT64|S?FIXED64)$/;
const decimals = 18;

/** The converter of each message, by its type URL, as CosmJS's AminoTypes takes them. */
export const aminoConverters = (messages) =>
  Object.fromEntries(
    messages.map((message) => [
      typeUrl(message),
      {
        aminoType: option(message, "amino.name"),
        toAmino: (value) => messageToAmino(message, value),
        fromAmino: (json) => messageFromAmino(message, json),
      },
    ]),
  );

/** The amino JSON of a message. */
export function messageToAmino(message, value) {
  switch (message.fullName) {
    case "google.protobuf.Duration":
      return String(value.seconds * 1_000_000_000n + BigInt(value.nanos));
    case "google.protobuf.Timestamp":
    case "google.protobuf.Any":
      throw new Error(`${message.fullName}: no rule for it here`);
  }
  const json = {};
  for (const field of message.field) {
    if (field.oneofIndex !== undefined) throw new Error(`${message.fullName}.${field.name}: no rule for oneof here`);
    const item = value[field.jsonName];
    if (isEmpty(field, item)) {
      if (!option(field, "amino.dont_omitempty")) continue;
      if (isMessage(field) && !isRepeated(field)) throw new Error(`${message.fullName}.${field.name} has to be set`);
    }
    json[field.name] = isRepeated(field) ? listToAmino(field, item) : fieldToAmino(field, item);
  }
  return json;
}

function isEmpty(field, item) {
  if (isRepeated(field)) return item.length === 0;
  if (isMessage(field)) return item === undefined;
  if (field.type === "TYPE_BYTES") return item.length === 0;
  return !item; // "", 0, 0n, false
}

function listToAmino(field, items) {
  const encoding = option(field, "amino.encoding");
  if (items.length === 0) return encoding ? [] : null;
  return items.map((item) => fieldToAmino(field, item));
}

function fieldToAmino(field, item) {
  if (isMessage(field)) return messageToAmino(typeNamed(field.typeName), item);
  if (option(field, "amino.encoding") === "inline_json") return JSON.parse(fromUtf8(item));
  switch (option(field, "cosmos_proto.scalar")) {
    case "cosmos.Int":
      return item || "0";
    case "cosmos.Dec":
      return decimal(item);
  }
  if (longTypes.test(field.type)) return String(item);
  if (field.type === "TYPE_BYTES") return toBase64(item);
  return item;
}

// decimal writes what protobuf carries as an integer of 10^-18.
function decimal(unscaled) {
  if (!unscaled) return "0";
  const digits = unscaled.replace("-", "").padStart(decimals + 1, "0");
  const sign = unscaled.startsWith("-") ? "-" : "";
  return `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** The message that amino JSON says. */
export function messageFromAmino(message, json) {
  if (message.fullName === "google.protobuf.Duration") {
    const nanos = BigInt(json);
    return { seconds: nanos / 1_000_000_000n, nanos: Number(nanos % 1_000_000_000n) };
  }
  const value = {};
  for (const field of message.field) {
    const item = json[field.name];
    if (isRepeated(field)) value[field.jsonName] = (item ?? []).map((one) => fieldFromAmino(field, one));
    else if (item !== undefined) value[field.jsonName] = fieldFromAmino(field, item);
    else value[field.jsonName] = zero(field);
  }
  return value;
}

function fieldFromAmino(field, item) {
  if (isMessage(field)) return messageFromAmino(typeNamed(field.typeName), item);
  if (option(field, "amino.encoding") === "inline_json") return toUtf8(JSON.stringify(item));
  if (option(field, "cosmos_proto.scalar") === "cosmos.Dec") return String(BigInt(item.replace(".", "")));
  if (longTypes.test(field.type)) return BigInt(item);
  if (field.type === "TYPE_BYTES") return fromBase64(item);
  return item;
}

/** What a field is when nobody has set it. */
export function zero(field) {
  if (isRepeated(field)) return [];
  if (isMessage(field)) return undefined;
  if (longTypes.test(field.type)) return 0n;
  switch (field.type) {
    case "TYPE_STRING":
      return "";
    case "TYPE_BYTES":
      return new Uint8Array();
    case "TYPE_BOOL":
      return false;
    default:
      return 0;
  }
}

/** Whether a field has 64 bits and is a bigint. */
export const isLong = (field) => longTypes.test(field.type);
