// The amino converter of a grant to deposit: CosmJS knows MsgGrant, but leaves its amino JSON to those who know what is
// granted.
import { messageFromAmino, messageToAmino } from "./amino.js";
import { typeNamed } from "./schema.js";

const granted = typeNamed("souk.escrow.v1.DepositAuthorization");
const { DepositAuthorization } = await import("./generated/souk/escrow/v1/entities.js");
const aminoType = "souk/escrow/DepositAuthorization";

/** A grant's authorization to deposit, packed as the message wants it. */
export const depositAuthorization = (value) => ({
  typeUrl: `/${granted.fullName}`,
  value: DepositAuthorization.encode(DepositAuthorization.fromPartial(value)).finish(),
});

export const grantConverter = {
  "/cosmos.authz.v1beta1.MsgGrant": {
    aminoType: "cosmos-sdk/MsgGrant",
    toAmino: ({ granter, grantee, grant }) => ({
      granter,
      grantee,
      grant: {
        authorization: { type: aminoType, value: messageToAmino(granted, DepositAuthorization.decode(grant.authorization.value)) },
        expiration: new Date(Number(grant.expiration.seconds) * 1000).toISOString().replace(".000Z", "Z"),
      },
    }),
    fromAmino: ({ granter, grantee, grant }) => ({
      granter,
      grantee,
      grant: {
        authorization: depositAuthorization(messageFromAmino(granted, grant.authorization.value)),
        expiration: { seconds: BigInt(Date.parse(grant.expiration)) / 1000n, nanos: 0 },
      },
    }),
  },
};
