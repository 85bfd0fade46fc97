/** What is to become of a recorded flow when the code of an atom has changed. */
import type { OnVersionChange } from '../atoms/index.js';
import type { Outline } from './outline.js';
import type { Plan, VersionRule } from './plan.js';

export function versionRulesOf({ spans }: Outline): VersionRule[] {
  const rules: VersionRule[] = [];
  for (const { flow, start, end } of spans) {
    const { onVersionChange } = flow.care;
    if (onVersionChange !== undefined) rules.push({ start, end, onVersionChange });
  }
  return rules;
}

/** What the atom itself says, or else the nearest flow around it that says something. */
export function onVersionChangeOf({ atoms, versionRules }: Plan, atom: number): OnVersionChange | undefined {
  return (
    atoms[atom].onVersionChange ??
    versionRules.findLast(({ start, end }) => atom >= start && atom < end)?.onVersionChange
  );
}
