// The weather server once more, in TypeScript: the contract of ../weather/server.py, kept on another SDK.
//
//   lab.connect("weather_typescript")             finds Node and the packages by itself
//   npm install && node server.ts                 the same by hand, in this folder; Node strips types, since 22.18
//   node server.ts http 8000                      over HTTP on 127.0.0.1, until standard input ends; 0: any free port
//
// WEATHER_API and WEATHER_TIMEOUT mean what they mean there. tests/servers/test_weather_server.py runs against both.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node';
import {
  completable,
  createMcpHandler,
  McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceTemplate,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';
import { STATES } from './states.ts';
import { checkedStdio } from './versions.ts';
import { type AlertProperties, measured, Upstream, WeatherError } from './weather.ts';

const READ = { readOnlyHint: true, idempotentHint: true, openWorldHint: true };

const Alert = z.object({
  event: z.string().describe('For example Winter Storm Warning.'),
  severity: z.string().describe('Extreme, Severe, Moderate, Minor or Unknown.'),
  urgency: z.string(),
  areas: z.string().describe('Where it applies.'),
  headline: z.string().nullable(),
  description: z.string().nullable(),
  instruction: z.string().nullable().describe('What to do.'),
  expires: z.string().describe('ISO 8601.'),
}).describe('One active weather alert.');

const Alerts = z.object({
  state: z.string().describe('Two-letter code.'),
  state_name: z.string(),
  alerts: z.array(Alert),
}).describe('The active alerts of one state.');

const Period = z.object({
  name: z.string().describe('For example Tonight or Sunday.'),
  temperature: z.number(),
  unit: z.string().describe('F or C.'),
  precipitation_percent: z.number().nullable(),
  wind: z.string(),
  summary: z.string(),
}).describe('Weather of one day or night.');

const Forecast = z.object({
  place: z.string().describe('Nearest city and state.'),
  time_zone: z.string(),
  periods: z.array(Period),
}).describe('The forecast for one point.');

const Current = z.object({
  station: z.string().describe('Name of the station.'),
  observed: z.string().describe('ISO 8601. Minutes to hours ago: say when.'),
  summary: z.string().nullable(),
  temperature_celsius: z.number().nullable(),
  humidity_percent: z.number().nullable(),
  wind_kmh: z.number().nullable(),
  wind_degrees: z.number().nullable().describe('Where the wind comes from: 0 is north, 90 is east.'),
}).describe('What the nearest station measured last. Null is what it did not measure.');

const Source = z.object({
  url: z.string().describe('Address of the API.'),
  local: z.boolean().describe('Whether it is the one of the lab, which takes orders at URL/_control.'),
}).describe('Where the weather comes from.');

const Latitude = z.number().min(-90).max(90).describe('Degrees north.');
const Longitude = z.number().min(-180).max(180).describe('Degrees east; west is negative.');

/** Not a state; the message says what to write instead. */
class UnknownState extends Error {}

// One for the process. A server object is made per connection on stdio, and per request over HTTP.
const upstream = new Upstream();

function make(): McpServer {
  const server = new McpServer({ name: 'weather', title: 'Weather', version: '1.0.0' }, {
    instructions: 'Weather of the United States: alerts by state, forecasts and what was measured last by point.',
  });

  // What a tool throws, the SDK sends as a result with isError: true and the message as its text.
  server.registerTool('get_alerts', {
    title: 'Weather alerts',
    description: 'Get the active weather alerts for a US state.',
    inputSchema: z.object({ state: z.string().describe('Two-letter code of a US state, such as CA or NY.') }),
    outputSchema: Alerts,
    annotations: READ,
  }, async ({ state }) => structured(await alertsOf(state)));

  server.registerTool('get_forecast', {
    title: 'Weather forecast',
    description: 'Get the weather forecast for a point in the United States.',
    inputSchema: z.object({
      latitude: Latitude,
      longitude: Longitude,
      periods: z.int().min(1).max(14).default(5).describe('Days and nights to return.'),
    }),
    outputSchema: Forecast,
    annotations: READ,
  }, async ({ latitude, longitude, periods }, ctx) => {
    await report(ctx, 0, 2, 'asking for the point');
    const [point, found] = await (await upstream.api()).forecast(latitude, longitude);
    await report(ctx, 2, 2, 'forecast received');
    const { city, state } = point.relativeLocation.properties;
    return structured({
      place: `${city}, ${state}`,
      time_zone: point.timeZone,
      periods: found.slice(0, periods).map((period) => ({
        name: period.name,
        temperature: period.temperature,
        unit: period.temperatureUnit,
        precipitation_percent: period.probabilityOfPrecipitation.value,
        wind: `${period.windSpeed} ${period.windDirection}`,
        summary: period.detailedForecast,
      })),
    });
  });

  server.registerTool('get_current', {
    title: 'Current weather',
    description: 'Get what the weather station nearest to a point in the United States measured last.',
    inputSchema: z.object({ latitude: Latitude, longitude: Longitude }),
    outputSchema: Current,
    annotations: READ,
  }, async ({ latitude, longitude }) => {
    const [station, seen] = await (await upstream.api()).latest(latitude, longitude);
    return structured({
      station: station.name,
      observed: seen.timestamp,
      summary: seen.textDescription || null,
      temperature_celsius: measured(seen, 'temperature', 'wmoUnit:degC'),
      humidity_percent: measured(seen, 'relativeHumidity', 'wmoUnit:percent'),
      wind_kmh: measured(seen, 'windSpeed', 'wmoUnit:km_h-1'),
      wind_degrees: measured(seen, 'windDirection', 'wmoUnit:degree_(angle)'),
    });
  });

  server.registerTool('get_source', {
    title: 'Weather source',
    description: 'Tell where this server gets its weather from.',
    inputSchema: z.object({}),
    outputSchema: Source,
    annotations: READ,
  }, async () => structured({ url: (await upstream.api()).baseUrl, local: upstream.isLocal }));

  const template = new ResourceTemplate('weather://alerts/{state}', { list: undefined, complete: { state: codes } });
  server.registerResource('alerts', template, {
    title: 'Alerts of a state',
    description: 'The active weather alerts of a US state, by two-letter code.',
    mimeType: 'application/json',
  }, async (uri, { state }) => {
    try {
      const text = JSON.stringify(await alertsOf(String(state)), null, 2);
      return { contents: [{ uri: uri.href, mimeType: 'application/json', text }] };
    } catch (error) {
      // A resource has no isError: what is wrong is an error of the protocol, with its code.
      if (error instanceof UnknownState) {
        throw new ProtocolError(ProtocolErrorCode.InvalidParams, error.message, { uri: uri.href });
      }
      if (error instanceof WeatherError) throw new ProtocolError(ProtocolErrorCode.InternalError, error.message);
      throw error;
    }
  });

  const PLAN = 'Plan a trip around the weather, with the alerts of the state at hand.';
  server.registerPrompt('plan_trip', {
    title: 'Plan a trip',
    description: PLAN,
    argsSchema: z.object({
      state: completable(z.string().describe('Two-letter code of the state to visit.'), codes),
      activity: z.string().default('hiking').describe('What to do there.'),
    }),
  }, ({ state, activity }) => {
    const code = state.toUpperCase();
    const text = `Plan a three-day ${activity} trip to ${STATES.get(code) ?? state}. Call get_forecast for the places `
      + 'you suggest, respect the alerts below, and say which day to keep free for bad weather.';
    const link = { uri: `weather://alerts/${code}`, name: `alerts-${code}`, mimeType: 'application/json' };
    return {
      description: PLAN,
      messages: [
        { role: 'user', content: { type: 'text', text } },
        { role: 'user', content: { type: 'resource_link', ...link } },
      ],
    };
  });

  const REPORT = 'Report the weather of a place: now, today, alerts, and what that means for being outdoors.';
  server.registerPrompt('weather_report', {
    title: 'Weather report',
    description: REPORT,
    argsSchema: z.object({
      location: z.string().describe('A place in the United States, such as Fresno, California.'),
    }),
  }, ({ location }) => {
    const text = `Write a weather report for ${location}. Call get_current and get_forecast with its latitude and `
      + 'longitude, and get_alerts with its state. Say what was measured and when, what today will be like, each alert '
      + 'with what to do, and what that means for being outdoors. Where a call fails or a value is null, say that it '
      + 'is missing.';
    return { description: REPORT, messages: [{ role: 'user', content: { type: 'text', text } }] };
  });
  return server;
}

/** A result of a tool: the value, and its text for clients that know no structured content. */
function structured<Value extends Record<string, unknown>>(value: Value) {
  return { content: [{ type: 'text' as const, text: JSON.stringify(value, null, 2) }], structuredContent: value };
}

/** Progress, for a caller that asked for it. */
async function report(ctx: ServerContext, progress: number, total: number, message: string): Promise<void> {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total, message } });
}

/** State codes, by the beginning of the code or of the name. */
function codes(value: string): string[] {
  const typed = value.toLowerCase();
  const fits = (word: string) => word.toLowerCase().startsWith(typed);
  return [...STATES].filter((state) => state.some(fits)).map(([code]) => code);
}

async function alertsOf(state: string): Promise<z.infer<typeof Alerts>> {
  const wanted = state.trim();
  const code = wanted.toUpperCase();
  const name = STATES.get(code);
  if (name === undefined) {
    const named = [...STATES].find(([, each]) => each.toLowerCase() === wanted.toLowerCase());
    const hint = named ? `did you mean ${named[0]}?` : 'use a two-letter code such as CA, NY or TX';
    throw new UnknownState(`${quoted(state)} is not the code of a US state: ${hint}`);
  }
  return { state: code, state_name: name, alerts: (await (await upstream.api()).alerts(code)).map(alert) };
}

/** As Python's repr writes a text, which the contract's sentences have. */
function quoted(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const plain = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
  return mark + (mark === "'" ? plain.replaceAll("'", "\\'") : plain) + mark;
}

function alert(properties: AlertProperties): z.infer<typeof Alert> {
  const { event, severity, urgency, areaDesc: areas, expires } = properties;
  const { headline = null, description = null, instruction = null } = properties;
  return { event, severity, urgency, areas, headline, description, instruction, expires };
}

// Whoever started the server goes by closing its standard input, and the upstream must not stay behind.
process.stdin.once('end', () => upstream.stop());
if (process.argv[2] === 'http') {
  const [host, origin] = [localhostHostValidation(), localhostOriginValidation()]; // against DNS rebinding
  const handle = toNodeHandler(createMcpHandler(make));
  const web = createServer((request, response) => {
    if (host(request, response) && origin(request, response)) void handle(request, response);
  });
  web.listen(Number(process.argv[3] ?? '0'), '127.0.0.1', () => {
    console.log(JSON.stringify({ url: `http://127.0.0.1:${(web.address() as AddressInfo).port}/mcp` }));
  });
  process.stdin.once('end', () => process.exit(0)).resume();
} else {
  serveStdio(make, { transport: checkedStdio() });
}
