// The store contract on the embedded engine and, if DYNAMODB_ENDPOINT is set, on that endpoint.
import { describe } from 'vitest';
import { embeddedEngine, givenEndpoint } from './engines.ts';
import { storeContract } from './store.contract.ts';

describe('the store on the embedded engine', () => storeContract(embeddedEngine));

const endpoint = process.env.DYNAMODB_ENDPOINT;
if (endpoint) describe('the store on DYNAMODB_ENDPOINT', () => storeContract(() => givenEndpoint(endpoint)));
