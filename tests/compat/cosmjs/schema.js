// The protobuf files as `buf build` describes them: which messages there are, their fields and their options.
import { readFileSync } from "node:fs";

const file = new URL("./descriptors.json", import.meta.url);

const types = new Map(); // messages and enums by full name
const transactionNames = [];

for (const proto of JSON.parse(readFileSync(file, "utf8")).file) {
  collect(proto.package, proto.messageType, proto.enumType, proto.name);
  for (const service of proto.service ?? []) {
    if (!service.options?.["[cosmos.msg.v1.service]"]) continue;
    transactionNames.push(...service.method.map((method) => method.inputType.slice(1)));
  }
}

function collect(scope, messages = [], enums = [], source) {
  for (const type of enums) types.set(`${scope}.${type.name}`, type);
  for (const type of messages) {
    const fullName = `${scope}.${type.name}`;
    types.set(fullName, { ...type, fullName, source, field: type.field ?? [] });
    collect(fullName, type.nestedType, type.enumType, source);
  }
}

/** The messages that a transaction can carry, as descriptors. */
export const transactionMessages = transactionNames.map(typeNamed);

/** The descriptor of a message or an enum, by its full name with or without a leading dot. */
export function typeNamed(name) {
  const found = types.get(name.replace(/^\./, ""));
  if (!found) throw new Error(`no protobuf type ${name}`);
  return found;
}

export const isRepeated = (field) => field.label === "LABEL_REPEATED";
export const isMessage = (field) => field.type === "TYPE_MESSAGE";
export const option = (descriptor, name) => descriptor.options?.[`[${name}]`];
export const typeUrl = (message) => `/${message.fullName}`;

/** The field of a message whose account has to sign. */
export const signerField = (message) => {
  const [name] = [option(message, "cosmos.msg.v1.signer")].flat();
  const field = message.field.find((candidate) => candidate.name === name);
  if (!field) throw new Error(`${message.fullName} names no signer`);
  return field;
};
