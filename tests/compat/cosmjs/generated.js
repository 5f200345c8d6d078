// What ts-proto made of the messages of transactions, by type URL.
import { transactionMessages, typeUrl } from "./schema.js";

/** Pairs of type URL and generated type, as CosmJS's Registry takes them. */
export const generatedTypes = await Promise.all(
  transactionMessages.map(async (message) => {
    const module = await import(`./generated/${message.source.replace(/\.proto$/, ".js")}`);
    const name = message.fullName.split(".").at(-1);
    if (!module[name]) throw new Error(`ts-proto made no ${name} of ${message.source}`);
    return [typeUrl(message), module[name]];
  }),
);
