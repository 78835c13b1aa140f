// A synthesised CloudFormation template as far as the embedded stack reads it.
import type { Json } from './intrinsics.ts';

export interface Resource {
  readonly Type: string;
  readonly Properties?: { readonly [key: string]: Json };
  readonly Metadata?: { readonly [key: string]: Json };
}

export interface Template {
  readonly Resources?: Readonly<Record<string, Resource>>;
  readonly Parameters?: Readonly<Record<string, { readonly Default?: string }>>;
  readonly Outputs?: Readonly<
    Record<string, { readonly Value: Json; readonly Export?: { readonly Name: Json } }>
  >;
}

/** Templates by stack name. */
export type Templates = Readonly<Record<string, Template>>;
