// A careful HTTP client for the weather API, as ../weather/client.py, and the upstream that the lab ships.
// Knows nothing of MCP.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const USER_AGENT = 'mcp-lab-weather/1.0 (https://modelcontextprotocol.io)'; // the public API wants one
const ATTEMPTS = 3;
const TRANSIENT = new Set([429, 500, 502, 503, 504]); // statuses that may be different next time
const FIRST_WAIT = 100; // milliseconds

/** No weather; the message says what happened and what to do. */
export class WeatherError extends Error {}

export interface AlertProperties {
  event: string;
  severity: string;
  urgency: string;
  areaDesc: string;
  headline?: string | null;
  description?: string | null;
  instruction?: string | null;
  expires: string;
}

export interface PointProperties {
  forecast: string;
  observationStations: string;
  timeZone: string;
  relativeLocation: { properties: { city: string; state: string } };
}

export interface PeriodProperties {
  name: string;
  temperature: number;
  temperatureUnit: string;
  probabilityOfPrecipitation: { value: number | null };
  windSpeed: string;
  windDirection: string;
  detailedForecast: string;
}

export interface StationProperties {
  stationIdentifier: string;
  name: string;
}

interface Measurement {
  unitCode: string;
  value: number | null;
}

export interface ObservationProperties {
  timestamp: string;
  textDescription: string;
  temperature: Measurement;
  relativeHumidity: Measurement;
  windSpeed: Measurement;
  windDirection: Measurement;
}

export class WeatherApi {
  // Node strips types and nothing else, so a constructor cannot declare fields in its parameters.
  readonly baseUrl: string;
  private readonly seconds: number;

  /** `baseUrl` is the local upstream or https://api.weather.gov; `seconds` is what one attempt may take. */
  constructor(baseUrl: string, seconds: number) {
    this.baseUrl = baseUrl.replace(/\/+$/, '');
    this.seconds = seconds;
  }

  /** The properties of each active alert of a state. */
  async alerts(state: string): Promise<AlertProperties[]> {
    const answer = await this.get(`${this.baseUrl}/alerts/active`, `?area=${encodeURIComponent(state)}`);
    return answer.features.map((feature: { properties: AlertProperties }) => feature.properties);
  }

  /** What is known about a point, and its forecast periods. Two requests: the first names the second. */
  async forecast(latitude: number, longitude: number): Promise<[PointProperties, PeriodProperties[]]> {
    const point = await this.point(latitude, longitude);
    return [point, (await this.get(this.ours(point.forecast))).properties.periods];
  }

  /** The nearest station to a point, and what it measured last. Three requests: each names the next. */
  async latest(latitude: number, longitude: number): Promise<[StationProperties, ObservationProperties]> {
    const point = await this.point(latitude, longitude);
    const { features } = await this.get(this.ours(point.observationStations));
    if (features.length === 0) {
      throw new WeatherError(`there is no weather station near ${latitude},${longitude}: ask for the forecast`);
    }
    const station: StationProperties = features[0].properties;
    const name = encodeURIComponent(station.stationIdentifier);
    return [station, (await this.get(`${this.baseUrl}/stations/${name}/observations/latest`)).properties];
  }

  private async point(latitude: number, longitude: number): Promise<PointProperties> {
    return (await this.get(`${this.baseUrl}/points/${latitude.toFixed(4)},${longitude.toFixed(4)}`)).properties;
  }

  private ours(url: string): string {
    // An address in an answer is input like any other: do not let it send us to another machine.
    if (!URL.canParse(url) || new URL(url).origin !== new URL(this.baseUrl).origin) {
      throw new WeatherError(`the weather service points to another place (${url}); not following it`);
    }
    return url;
  }

  private async get(url: string, query = ''): Promise<any> {
    for (let attempt = 1; ; attempt++) {
      const last = attempt === ATTEMPTS;
      try {
        const response = await fetch(url + query, {
          headers: { 'user-agent': USER_AGENT, accept: 'application/geo+json' },
          signal: AbortSignal.timeout(this.seconds * 1000),
        });
        const body = await response.text();
        if (response.ok) return parsed(url, body);
        if (last || !TRANSIENT.has(response.status)) throw new WeatherError(describe(url, response, body));
      } catch (error) {
        if (error instanceof WeatherError) throw error;
        if (last) throw new WeatherError(unreachable(url, error as Error, this.seconds));
      }
      await sleep(Math.min(FIRST_WAIT * 2 ** (attempt - 1), 1000) + Math.random() * FIRST_WAIT);
    }
  }
}

/** One value of an observation in the unit that is expected, or null where the station has none. */
export function measured(
  observation: ObservationProperties,
  name: 'temperature' | 'relativeHumidity' | 'windSpeed' | 'windDirection',
  unit: string,
): number | null {
  const { unitCode: found, value } = observation[name];
  if (value !== null && found !== unit) {
    throw new WeatherError(`the station gives ${name} in ${found}, not in ${unit}: not reporting a wrong number`);
  }
  return value;
}

function parsed(url: string, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new WeatherError(`${url} did not answer with JSON: ${(error as Error).message}`);
  }
}

function unreachable(url: string, error: Error, seconds: number): string {
  if (error.name === 'TimeoutError') {
    const what = `${url} did not answer within ${seconds} s, ${ATTEMPTS} times`;
    return `${what}: the weather service is slow; try again later`;
  }
  const cause = (error.cause ?? error) as NodeJS.ErrnoException;
  return `cannot reach ${url}: ${cause.code ?? cause.name} ${cause.message}, ${ATTEMPTS} times; is WEATHER_API right?`;
}

function describe(url: string, response: Response, body: string): string {
  let detail = response.statusText;
  try {
    detail = JSON.parse(body).detail ?? detail;
  } catch {
    // not JSON: the reason phrase has to do
  }
  const text = `${url} answered ${response.status}: ${detail}`;
  if (TRANSIENT.has(response.status)) {
    return `${text}, ${ATTEMPTS} times: the weather service is in trouble; try again later`;
  }
  return response.status === 404 ? `${text}: the service covers the United States only` : text;
}

/** Where the weather comes from. Starts on first use, so that the server itself starts at once. */
export class Upstream {
  readonly isLocal = !process.env.WEATHER_API;
  private ready?: Promise<WeatherApi>;
  private child?: ChildProcess;

  api(): Promise<WeatherApi> {
    this.ready ??= this.start();
    return this.ready;
  }

  /** End the local upstream: it ends when its standard input does. */
  stop(): void {
    this.child?.stdin?.end();
  }

  private async start(): Promise<WeatherApi> {
    const url = process.env.WEATHER_API || (await this.local());
    return new WeatherApi(url, Number(process.env.WEATHER_TIMEOUT ?? '2'));
  }

  private async local(): Promise<string> {
    const script = fileURLToPath(new URL('../upstreams/weather_api.py', import.meta.url));
    const child = spawn(python(), [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child = child;
    const line = await new Promise<string>((said, refuse) => {
      createInterface({ input: child.stdout }).once('line', said);
      child.once('error', (error) => refuse(new WeatherError(`cannot start the local weather: ${error.message}`)));
      child.once('exit', (code) => {
        const what = `the local weather_api.py ended with exit code ${code} before it was ready`;
        refuse(new WeatherError(`${what}: run it to see why`));
      });
    });
    return JSON.parse(line).url;
  }
}

/** A Python that has the lab's packages: the lab says which; without it, the one of its environment or of the PATH. */
function python(): string {
  const windows = process.platform === 'win32';
  const place = windows ? '../../.venv/Scripts/python.exe' : '../../.venv/bin/python';
  const own = fileURLToPath(new URL(place, import.meta.url));
  return process.env.LAB_PYTHON || (existsSync(own) ? own : windows ? 'python' : 'python3');
}
