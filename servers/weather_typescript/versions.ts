// Every request of the stateless era names its version. Over stdio, SDK 2.4.0 looks at that of the first request only,
// and would answer a later one of any version (`labkit certify` finds it: doctor.version-unknown). This looks at each.
import {
  isJSONRPCRequest,
  PROTOCOL_VERSION_META_KEY,
  UnsupportedProtocolVersionError,
} from '@modelcontextprotocol/server';
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio';

const SERVED = ['2026-07-28'];

export function checkedStdio(): StdioServerTransport {
  const wire = new StdioServerTransport();
  let hear: StdioServerTransport['onmessage'];
  Object.defineProperty(wire, 'onmessage', {
    get: () => hear,
    set: (handler: NonNullable<StdioServerTransport['onmessage']> | undefined) => {
      hear = handler && ((message) => {
        const named = isJSONRPCRequest(message) ? message.params?._meta?.[PROTOCOL_VERSION_META_KEY] : undefined;
        if (!isJSONRPCRequest(message) || typeof named !== 'string' || SERVED.includes(named)) return handler(message);
        const error = new UnsupportedProtocolVersionError({ supported: SERVED, requested: named });
        const { code, message: text, data } = error;
        void wire.send({ jsonrpc: '2.0', id: message.id, error: { code, message: text, data } }).catch(() => {});
      });
    },
  });
  return wire;
}
