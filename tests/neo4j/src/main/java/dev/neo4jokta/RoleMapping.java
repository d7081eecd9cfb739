package dev.neo4jokta;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * {@code group_to_role_mapping}: {@code "a"=reader;"b"=editor,publisher}. Unset, a
 * group is the role of its name; set, a group that is not listed means nothing.
 */
record RoleMapping(Map<String, List<String>> map) {
    private static final Pattern ENTRY =
            Pattern.compile("\\s*(?:\"([^\"]+)\"|'([^']+)'|([^\\s\"'=]+))\\s*=\\s*([A-Za-z0-9_.,\\s-]*)");

    static RoleMapping parse(String text) {
        if (text == null) {
            return new RoleMapping(null);
        }
        Map<String, List<String>> map = new HashMap<>();
        for (String entry : text.split(";")) {
            Matcher matcher = ENTRY.matcher(entry);
            if (!matcher.matches()) {
                throw new IllegalArgumentException("group_to_role_mapping: cannot read " + entry);
            }
            String group = matcher.group(1) != null
                    ? matcher.group(1)
                    : matcher.group(2) != null ? matcher.group(2) : matcher.group(3);
            List<String> roles = Arrays.stream(matcher.group(4).split(","))
                    .map(String::trim)
                    .filter(role -> !role.isEmpty())
                    .toList();
            map.put(group, roles);
        }
        return new RoleMapping(map);
    }

    List<String> roles(String group) {
        return map == null ? List.of(group) : map.getOrDefault(group, List.of());
    }
}
