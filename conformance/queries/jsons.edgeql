# name: jsons
# result: many json
select {<json>(a := 1, b := 'x'), to_json('null')}
